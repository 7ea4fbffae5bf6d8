"""The processes of one private pool: started, stopped, and found again when a killed master left them behind."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from submit.pool.pool import Pool, PoolBroken

_START_SECONDS = 60
_STOP_SECONDS = 20
_ANSWER_SECONDS = 20
_POLL_SECONDS = 0.1


def master(config: Path) -> int | None:
    """Process id of the pool's running master, None when there is none."""
    try:
        pid = int(_pid_file(config).read_text())
    except (FileNotFoundError, ValueError):
        return None
    # A pid file outlives its process, and a zombie keeps its pid but has no program.
    return pid if _program(pid).name == "condor_master" and _named_in(pid, config) else None


def start(pool: Pool) -> None:
    """Start the master and wait until a slot is offered and the schedd answers.

    What a killed pool left is ended first: two schedds on one spool lose jobs.

    Raises:
        PoolBroken: it does not come up.
    """
    _end(pool.config)
    _pid_file(pool.config).unlink(missing_ok=True)
    log = pool.folder / "log/MasterLog"
    home = {"HOME": str(pool.folder / "home"), "USER": pool.user, "LOGNAME": pool.user}
    # Sitting in the pool's folder, it keeps no other folder busy.
    done = pool.run(["condor_master", "-pidfile", _pid_file(pool.config)], cwd=pool.folder, environ=home)
    if done.returncode != 0:
        raise PoolBroken(f"condor_master exits {done.returncode}: {done.stderr.strip()}; see {log}")
    deadline = time.monotonic() + _START_SECONDS
    while not (offers_slots(pool) and answers(pool)):
        if time.monotonic() > deadline:
            stop(pool.config)
            raise PoolBroken(f"the pool offers no slot after {_START_SECONDS} s; see {log}")
        time.sleep(_POLL_SECONDS)


def stop(config: Path) -> None:
    """End the pool: running jobs are evicted and stay queued. No process of it is left; none need be there."""
    pid = master(config)
    if pid is not None:
        # What condor_off -fast sends, without asking a collector that may be gone.
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGQUIT)
        deadline = time.monotonic() + _STOP_SECONDS
        while master(config) is not None and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
    _end(config)


def answers(pool: Pool, environ: Mapping[str, str] | None = None) -> bool:
    """Whether the pool's schedd answers."""
    try:
        asked = pool.run(["condor_q", "-totals"], environ=environ, timeout_seconds=_ANSWER_SECONDS)
    except (subprocess.TimeoutExpired, FileNotFoundError):
        return False
    return asked.returncode == 0


def offers_slots(pool: Pool) -> bool:
    """Whether the collector knows of a slot."""
    return bool(pool.run(["condor_status", "-af", "Name"]).stdout.strip())


def leftovers(config: Path) -> list[int]:
    """Process ids of the pool's daemons and jobs, and of no other pool's.

    Daemons and DAGMan carry the pool's CONDOR_CONFIG; so does a shell that asked for it, which is left alone.
    Jobs carry a scratch folder of this pool instead, in a container under a longer name.
    """
    names = ("_CONDOR_SCRATCH_DIR", "_CONDOR_SCRATCH_DIR_OUTSIDE_CONTAINER")
    scratch = tuple(f"{name}={config.parent}/execute/".encode() for name in names)
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        pid = int(entry.name)
        is_job = any(line.startswith(scratch) for line in _variables(pid))
        if is_job or (_is_daemon(_program(pid)) and _named_in(pid, config)):
            found.append(pid)
    return sorted(found)


def _end(config: Path) -> None:
    while pids := leftovers(config):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_POLL_SECONDS)


def _is_daemon(program: Path) -> bool:
    daemon_places = ("sbin", "condor", "libexec")
    named = program.name.startswith("condor_")
    return named and (program.parent.name in daemon_places or program.name == "condor_dagman")


def _program(pid: int) -> Path:
    """The program a process runs; Path("") for one that is gone, a zombie, or another user's."""
    try:
        return Path(f"/proc/{pid}/exe").readlink()
    except OSError:
        return Path()


def _variables(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def _named_in(pid: int, config: Path) -> bool:
    return f"CONDOR_CONFIG={config}".encode() in _variables(pid)


def _pid_file(config: Path) -> Path:
    return config.parent / "master.pid"
