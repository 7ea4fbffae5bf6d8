"""What faults do: signals, commands of HTCondor, damaged files and full disks; and when they are due."""

import os
import random
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

from alignsec.run import event_log
from benchmarks.faults import processes
from benchmarks.faults.fault import Fault
from benchmarks.faults.seed_run import SeedRun

DISK = "24m"
"""Size of the small disk."""


def is_submitted(fault: Fault) -> bool:
    """Return whether DAGMan was submitted."""
    return fault.run.run.dagman_log.exists()


def has_events(fault: Fault) -> bool:
    """Return whether the victim's job is in the event log."""
    return bool(fault.job)


def has_outcome(fault: Fault) -> bool:
    """Return whether a pair has an outcome."""
    return fault.find_outcome() is not None


def send_signal(find: Callable[[Fault], list[int]], number: signal.Signals) -> Callable[[Fault], bool]:
    """Return an action that sends a signal to the processes of `find`."""
    return lambda fault: processes.send_signal(find(fault), number) > 0


def signal_daemon(name: str, number: signal.Signals) -> Callable[[Fault], bool]:
    """Return an action that sends a signal to a daemon of the pool."""
    return send_signal(lambda fault: processes.find_daemons(fault.run.pool, name), number)


def find_starters(fault: Fault) -> list[int]:
    """Return the starters of the node's job."""
    return processes.find_starters(fault.find_jobs())


def find_shadows(fault: Fault) -> list[int]:
    """Return the shadow of the node's job."""
    return processes.find_shadows(fault.run.pool, fault.job)


def find_dagman(fault: Fault) -> list[int]:
    """Return the DAGMan of the run."""
    return processes.find_dagman(fault.run.pool, fault.run.run.root)


def find_local_command(fault: Fault) -> list[int]:
    """Return the process of `make local`."""
    return processes.find_jobs(fault.run.folder / "tiny.toml", "--local")


def run_condor(*words: str) -> Callable[[Fault], bool]:
    """Return an action that runs a command of HTCondor on the node's job."""

    def run(fault: Fault) -> bool:
        job = fault.job
        return bool(job) and fault.run.pool.run([*words, job], check=False).returncode == 0

    return run


def remove_dag(run: SeedRun) -> bool:
    """Remove the DAGMan job, if there is one."""
    cluster = event_log.find_running_cluster(run.run.dagman_log)
    return cluster is not None and run.pool.run(["condor_rm", str(cluster)]).returncode == 0


def damage_path(path: Path, numbers: random.Random) -> bool:
    """Change, cut, empty or remove a file. A link is replaced, so that the original stays unchanged."""
    if not path.exists():
        return False
    data = bytearray(path.read_bytes())
    how = numbers.choice(("change", "cut", "empty", "remove"))
    path.unlink()
    if how == "change" and data:
        data[numbers.randrange(len(data))] ^= 1 << numbers.randrange(8)
    elif how == "cut":
        del data[len(data) // 2 :]
    elif how == "empty":
        data.clear()
    if how != "remove":
        path.write_bytes(data)
        path.chmod(0o755 if path.suffix == ".sh" else 0o644)
    return True


def damage_file(find: Callable[[Fault], Path | None]) -> Callable[[Fault], bool]:
    """Return an action that damages the file of `find`."""

    def damage(fault: Fault) -> bool:
        path = find(fault)
        return path is not None and damage_path(path, fault.numbers)

    return damage


def find_pack(fault: Fault) -> Path | None:
    """Return the image pack of the run."""
    return next(iter(sorted(fault.run.run.images.glob("*.tar"))), None)


def find_weights(fault: Fault) -> Path | None:
    """Return the link to the weights."""
    return next(iter(sorted(fault.run.run.weights.iterdir())), None)


JUNK = (
    bytes(4096),
    b"001 (012.000.000) 2026-11-25 10:0",
    b"099 (012.000.000) 2026-11-25 10:00:00 Unknown event\n...\n",
    "005 (012.000.000) 2026-11-25 10:00:00 Gr\u00fc\u00dfe\n...\n".encode("latin-1"),
    b"\n...\n...\n",
)


def append_junk(find: Callable[[Fault], Path]) -> Callable[[Fault], bool]:
    """Return an action that appends a damaged event to a log."""

    def append(fault: Fault) -> bool:
        with find(fault).open("ab") as log:
            log.write(fault.numbers.choice(JUNK))
        return True

    return append


def fill_disk(fault: Fault) -> bool:
    """Fill the disk of the run folder; `free_disk` makes room again."""
    filler = fault.run.folder / "runs" / "filler"
    subprocess.run(["dd", "if=/dev/zero", f"of={filler}", "bs=1k"], check=False, capture_output=True)
    return True


def mount_disk(run: SeedRun) -> None:
    """Mount a small disk for the run folder.

    Raises:
        subprocess.CalledProcessError: This user cannot mount.
    """
    disk = run.folder / "runs"
    disk.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "none", disk], check=True)


def free_disk(run: SeedRun) -> None:
    """Remove the file that fills the disk."""
    (run.folder / "runs" / "filler").unlink(missing_ok=True)


def unmount_disk(folder: Path) -> None:
    """Unmount the small disk of a seed's folder, if there is one."""
    subprocess.run(["umount", "--lazy", folder / "runs"], check=False, capture_output=True)


ONCE = '[ -e "$here/once-{name}" ] || { : > "$here/once-{name}"; {what}; }'
"""Shell commands that run in the first job only."""


def run_once(name: str, what: str) -> str:
    """Return shell commands that run `what` in the first job only."""
    return ONCE.replace("{name}", name).replace("{what}", what)


def has_happened(fault: Fault) -> bool:
    """Return whether the shell commands of a fault have run."""
    return any(fault.run.folder.glob("once-*"))


def has_mount() -> bool:
    """Return whether this user can mount a small disk that the pool sees."""
    return shutil.which("mount") is not None and os.geteuid() == 0
