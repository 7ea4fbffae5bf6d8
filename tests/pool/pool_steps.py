"""Common steps of tests on a real pool: submit, wait, kill, and find processes that are still running."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from submit.pool import daemons
from submit.pool.pool import Pool

MakePool = Callable[..., Pool]
"""The fixture `make_pool`."""
WAIT_SECONDS = 90
EXECUTING = "\n001 ("
TERMINATED = "\n005 ("


def submit(pool: Pool, folder: Path, text: str, name: str = "job") -> Path:
    """Submit one job with this description and return its event log."""
    (folder / f"{name}.sub").write_text(f"log = {name}.log\n{text}\nqueue\n")
    pool.run(["condor_submit", f"{name}.sub"], cwd=folder, check=True)
    return folder / f"{name}.log"


def shell_job(script: str, more: str = "") -> str:
    """Return the submit description of a small job. The script must not contain quotes."""
    return (
        "executable = /bin/sh\ntransfer_executable = False\nshould_transfer_files = YES\nrequest_memory = 64\n"
        f"arguments = \"-c '{script}'\"\noutput = job.out\nerror = job.err\n{more}"
    )


def wait_for_end(pool: Pool, log: Path) -> None:
    """Wait until every job of the log has left the queue."""
    waited = pool.run(["condor_wait", "-wait", str(WAIT_SECONDS), log])
    assert waited.returncode == 0, waited.stdout + pool.run(["condor_q", "-better-analyze"]).stdout


def wait_for_start(log: Path) -> None:
    """Wait until a job of the log has started."""
    deadline = time.monotonic() + WAIT_SECONDS
    while EXECUTING not in "\n" + log.read_text():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)


def kill_master(pool: Pool) -> set[int]:
    """Send SIGKILL to the master and return the process ids that it leaves running."""
    pid = daemons.find_master(pool.config)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    while daemons.find_master(pool.config) is not None:  # a killed process remains for some milliseconds
        time.sleep(0.01)
    return set(daemons.find_leftovers(pool.config))


def find_processes(folder: Path) -> list[str]:
    """Return every process whose environment contains the pool's folder, without the code under test."""
    found = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        try:
            if os.fsencode(folder) in environ.read_bytes():
                found.append(environ.parent.name)
        except OSError:
            continue
    return found
