"""The processes of one private pool: starting, stopping, and finding those that a killed master left running."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from submit.pool.pool import Pool, PoolStartError

_START_SECONDS = 60
_STOP_SECONDS = 20
_ANSWER_SECONDS = 20
_POLL_SECONDS = 0.1


def find_master(config: Path) -> int | None:
    """Return the process id of the pool's running master, or None if it is not running."""
    try:
        pid = int(_pid_file(config).read_text())
    except (FileNotFoundError, ValueError):
        return None
    # A pid file remains after its process. A zombie keeps its pid but has no program.
    return pid if _program(pid).name == "condor_master" and _has_config(pid, config) else None


def start(pool: Pool) -> None:
    """Start the master and wait until the pool has a slot and the schedd answers.

    Processes left by a killed pool are stopped first, because two schedds on one spool lose jobs.

    Raises:
        PoolStartError: The pool does not start.
    """
    _kill_leftovers(pool.config)
    _pid_file(pool.config).unlink(missing_ok=True)
    log = pool.folder / "log/MasterLog"
    home = {"HOME": str(pool.folder / "home"), "USER": pool.user, "LOGNAME": pool.user}
    # With the pool's folder as working directory, the daemons keep no other folder busy.
    done = pool.run(["condor_master", "-pidfile", _pid_file(pool.config)], cwd=pool.folder, environ=home)
    if done.returncode != 0:
        raise PoolStartError(
            f"condor_master failed with exit code {done.returncode}: {done.stderr.strip()}; see {log}"
        )
    deadline = time.monotonic() + _START_SECONDS
    while not (has_slots(pool) and schedd_answers(pool)):
        if time.monotonic() > deadline:
            stop(pool.config)
            raise PoolStartError(f"the pool has no slot after {_START_SECONDS} s; see {log}")
        time.sleep(_POLL_SECONDS)


def stop(config: Path) -> None:
    """Stop the pool, if it runs. Running jobs are evicted and stay queued. No process of the pool remains."""
    pid = find_master(config)
    if pid is not None:
        # The signal of condor_off -fast. The command itself would need the collector, which may have ended.
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGQUIT)
        deadline = time.monotonic() + _STOP_SECONDS
        while find_master(config) is not None and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
    _kill_leftovers(config)


def schedd_answers(pool: Pool, environ: Mapping[str, str] | None = None) -> bool:
    """Return whether the pool's schedd answers."""
    try:
        asked = pool.run(["condor_q", "-totals"], environ=environ, timeout_seconds=_ANSWER_SECONDS)
    except (subprocess.TimeoutExpired, FileNotFoundError):
        return False
    return asked.returncode == 0


def has_slots(pool: Pool) -> bool:
    """Return whether the collector knows a slot."""
    return bool(pool.run(["condor_status", "-af", "Name"]).stdout.strip())


def find_leftovers(config: Path) -> list[int]:
    """Return the process ids of this pool's daemons and jobs.

    Daemons and DAGMan have the pool's CONDOR_CONFIG in their environment. A user's shell may have it too, but is
    not returned. Jobs have a scratch folder of this pool instead; in a container the variable has a longer name.
    """
    names = ("_CONDOR_SCRATCH_DIR", "_CONDOR_SCRATCH_DIR_OUTSIDE_CONTAINER")
    scratch = tuple(f"{name}={config.parent}/execute/".encode() for name in names)
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        pid = int(entry.name)
        is_job = any(line.startswith(scratch) for line in _variables(pid))
        if is_job or (_is_daemon(_program(pid)) and _has_config(pid, config)):
            found.append(pid)
    return sorted(found)


def _kill_leftovers(config: Path) -> None:
    while pids := find_leftovers(config):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_POLL_SECONDS)


def _is_daemon(program: Path) -> bool:
    daemon_places = ("sbin", "condor", "libexec")
    named = program.name.startswith("condor_")
    return named and (program.parent.name in daemon_places or program.name == "condor_dagman")


def _program(pid: int) -> Path:
    """Return the program of a process; Path("") if it ended, is a zombie, or belongs to another user."""
    try:
        return Path(f"/proc/{pid}/exe").readlink()
    except OSError:
        return Path()


def _variables(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def _has_config(pid: int, config: Path) -> bool:
    return f"CONDOR_CONFIG={config}".encode() in _variables(pid)


def _pid_file(config: Path) -> Path:
    return config.parent / "master.pid"
