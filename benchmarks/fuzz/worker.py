"""The process that executes a reader: it ends at the first finding, and its parent sees how."""

import multiprocessing
import os
import resource
import signal
import struct
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from mmap import mmap
from pathlib import Path
from random import Random

from benchmarks.fuzz.generation import Generator
from benchmarks.fuzz.reader import Reader

CPU_SECONDS = 10.0
"""Processor time of one execution. More is a hang."""
IDLE_SECONDS = 60.0
"""Time without the end of an execution, after which the worker is killed: it waits for something."""
MOST_EXECUTIONS = 20_000
"""Executions of one process. A reader's leak ends with it."""
_POLL_SECONDS = 0.05
_NUMBERS = struct.Struct("<QQ")


@dataclass(frozen=True)
class Stop:
    """How a worker ended."""

    executed: int
    """Executions that ended."""
    read: int
    """Executions that read the input; in the others the reader raised an allowed exception."""
    reason: str
    """What was found in the last one; empty if nothing was."""
    trace: str = ""
    """The end of its standard error."""


class Shared:
    """Counters that a worker and its parent share."""

    def __init__(self) -> None:
        self._memory = mmap(-1, _NUMBERS.size)
        self.write(0, 0)

    def write(self, executed: int, read: int) -> None:
        """Store both counters."""
        self._memory[:] = _NUMBERS.pack(executed, read)

    def load(self) -> tuple[int, int]:
        """Return the executions, and those of them that read the input."""
        executed, read = _NUMBERS.unpack(self._memory[:])
        return executed, read


@dataclass(frozen=True)
class Task:
    """What a worker does: executions from a number on until a time."""

    reader: Reader
    corpus: Sequence[bytes]
    folder: Path
    seed: int
    first: int
    count: int
    deadline: float
    """Of time.monotonic()."""

    @property
    def input(self) -> Path:
        """The file of the current input; after a finding, its cause."""
        return self.folder / self.reader.file


def run_worker(task: Task) -> Stop:
    """Execute a reader in a forked process, and return how that ended."""
    shared, errors = Shared(), task.folder.with_name("stderr")
    context = multiprocessing.get_context("fork")
    process = context.Process(target=_work, args=(task, shared, errors))
    process.start()
    hung = _wait(process, shared)
    executed, read = shared.load()
    trace = errors.read_text(encoding="utf-8", errors="replace")[-6000:]
    return Stop(executed, read, _explain(process.exitcode or 0, hung=hung), trace)


def _wait(process: multiprocessing.process.BaseProcess, shared: Shared) -> bool:
    """Wait for the end of a worker; kill it and return True if it makes no progress."""
    last, since = shared.load(), time.monotonic()
    while process.is_alive():
        process.join(_POLL_SECONDS)
        now = shared.load()
        if now != last:
            last, since = now, time.monotonic()
        elif time.monotonic() - since > IDLE_SECONDS and process.is_alive():
            process.kill()
            process.join()
            return True
    return False


def _explain(code: int, *, hung: bool) -> str:
    if hung:
        return f"no end after {IDLE_SECONDS:.0f} s"
    if code == -signal.SIGPROF:
        return f"more than {CPU_SECONDS:.0f} s of processor time"
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return "an exception that is not allowed" if code else ""


def _work(task: Task, shared: Shared, errors: Path) -> None:
    """Execute inputs until the deadline. An exception that is not allowed ends the process with its traceback."""
    with errors.open("wb") as file:
        os.dup2(file.fileno(), 2)
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", errors="replace", closefd=False)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.chdir(task.folder)
    _limit_memory(task.reader.memory)
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    generator = Generator(task.reader, task.corpus)
    read = 0
    for number in range(task.first, task.first + min(task.count, MOST_EXECUTIONS)):
        if time.monotonic() > task.deadline:
            break
        # In place, so that a link to the file shows each input.
        with task.input.open("wb") as file:
            random = Random(f"{task.seed} {task.reader.name} {number}")  # noqa: S311 - no secret
            file.write(generator.generate(random))
        # A hang in C code runs no Python handler; the default action ends the process.
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
        read += task.reader.execute(task.input) == "read"
        signal.setitimer(signal.ITIMER_PROF, 0)
        shared.write(number + 1 - task.first, read)


def _limit_memory(allowed: int) -> None:
    """Let the process allocate this number of bytes more than now; then Python raises MemoryError."""
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    used = next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmData:")), 0)
    resource.setrlimit(resource.RLIMIT_DATA, (used + allowed, resource.RLIM_INFINITY))
