"""The processes of a run and of its pool, found through /proc."""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from submit.pool import daemons
from submit.pool.pool import Pool


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


def _parent(pid: int) -> int:
    fields = _read(pid, "stat").rpartition(b")")[2].split()
    return int(fields[1]) if len(fields) > 1 else 0


def _name(pid: int) -> str:
    return _read(pid, "comm").decode(errors="replace").strip()


def _process_ids() -> Iterator[int]:
    return (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())


def find_jobs(python: Path, word: str) -> list[int]:
    """Return the processes that a seed's Python script is running.

    Args:
        python: The script.
        word: A word of the job's arguments: a pair's id, or `aggregate`.
    """
    words = (os.fsencode(python), word.encode())
    return [pid for pid in _process_ids() if all(part in _read(pid, "cmdline") for part in words)]


def find_starters(jobs: list[int]) -> list[int]:
    """Return the starters above the processes of a job."""
    found = set()
    for job in jobs:
        pid = job
        while pid > 1 and _name(pid) != "condor_starter":
            pid = _parent(pid)
        if pid > 1:
            found.add(pid)
    return sorted(found)


def find_shadows(pool: Pool, job: str) -> list[int]:
    """Return the shadow of a job, or all shadows of the pool if it serves another job now.

    Args:
        pool: The pool.
        job: HTCondor's id of the job, cluster.process.
    """
    shadows = find_daemons(pool, "condor_shadow")
    own = [pid for pid in shadows if job.encode() in _read(pid, "cmdline").split(b"\0")]
    return own or shadows


def find_daemons(pool: Pool, name: str) -> list[int]:
    """Return the processes of a pool that have a name."""
    return [pid for pid in daemons.find_leftovers(pool.config) if _name(pid) == name[:15]]


def find_dagman(pool: Pool, folder: Path) -> list[int]:
    """Return the DAGMan of a run folder."""
    return [pid for pid in find_daemons(pool, "condor_dagman") if _folder(pid) == folder.resolve()]


def _folder(pid: int) -> Path:
    try:
        return Path(f"/proc/{pid}/cwd").readlink()
    except OSError:
        return Path()


def send_signal(pids: list[int], number: signal.Signals) -> int:
    """Send a signal to each process; return how many there were."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
    return len(pids)
