"""What tests on a real pool do again and again: submit, wait, kill, and look for what is left running."""

import os
import signal
import time
from pathlib import Path

from submit.pool import daemons
from submit.pool.pool import Pool

WAIT_SECONDS = 90
EXECUTING = "\n001 ("
TERMINATED = "\n005 ("


def submit(pool: Pool, folder: Path, text: str, name: str = "job") -> Path:
    """Submit one job described by text; its event log."""
    (folder / f"{name}.sub").write_text(f"log = {name}.log\n{text}\nqueue\n")
    pool.run(["condor_submit", f"{name}.sub"], cwd=folder, check=True)
    return folder / f"{name}.log"


def shell_job(script: str, more: str = "") -> str:
    """A submit description of a small job; the script has no quotes of its own."""
    return (
        "executable = /bin/sh\ntransfer_executable = False\nshould_transfer_files = YES\nrequest_memory = 64\n"
        f"arguments = \"-c '{script}'\"\noutput = job.out\nerror = job.err\n{more}"
    )


def ends(pool: Pool, log: Path) -> None:
    """Wait until every job of the log is gone from the queue."""
    waited = pool.run(["condor_wait", "-wait", str(WAIT_SECONDS), log])
    assert waited.returncode == 0, waited.stdout + pool.run(["condor_q", "-better-analyze"]).stdout


def executes(log: Path) -> None:
    """Wait until a job of the log has started."""
    deadline = time.monotonic() + WAIT_SECONDS
    while EXECUTING not in "\n" + log.read_text():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)


def kill_master(pool: Pool) -> set[int]:
    """SIGKILL the master; the process ids of what it leaves running."""
    pid = daemons.find_master(pool.config)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    while daemons.find_master(pool.config) is not None:  # a killed process is there for some milliseconds more
        time.sleep(0.01)
    return set(daemons.find_leftovers(pool.config))


def processes_of(folder: Path) -> list[str]:
    """Every process whose environment names the pool's folder, found without the code under test."""
    found = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        try:
            if os.fsencode(folder) in environ.read_bytes():
                found.append(environ.parent.name)
        except OSError:
            continue
    return found
