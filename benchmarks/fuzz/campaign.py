"""A fuzzing campaign: executes readers for some time, and keeps each finding as a file that can be replayed."""

import re
import resource
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from alignsec import digest
from benchmarks.fuzz.reader import Reader
from benchmarks.fuzz.worker import Stop, Task, run_worker

MOST_FINDINGS = 40
"""Findings of one reader after which it is left, because most of them have one cause."""
_FRAME = re.compile(r'File "[^"]*/((?:alignsec|aggregate|jobs|submit)/[\w/]+\.py)", line (\d+)')


@dataclass(frozen=True)
class Finding:
    """A cause, with the first input that showed it."""

    reader: str
    reason: str
    """What happened: the last line of the traceback, a hang or a signal."""
    place: str
    """The innermost line of the project in the traceback; empty for hangs and signals."""
    file: Path
    """The input."""

    def __str__(self) -> str:
        place = f" at {self.place}" if self.place else ""
        return f"{self.reader}: {self.reason}{place}; replay: python -m benchmarks.fuzz --replay {self.file}"


@dataclass
class ReaderResult:
    """The result of one reader."""

    reader: str
    executions: int = 0
    read: int = 0
    """Executions in which the reader accepted the input."""
    seconds: float = 0.0
    """Processor time."""
    findings: list[Finding] = field(default_factory=list)

    def as_row(self) -> dict[str, object]:
        """Return the row of the table."""
        return {
            "reader": self.reader,
            "executions": self.executions,
            "read": self.read,
            "hours": round(self.seconds / 3600, 4),
            "findings": len(self.findings),
        }


def fuzz_reader(reader: Reader, seed: int, seconds: float, count: int, found: Path) -> ReaderResult:
    """Execute one reader, and write the input of each distinct finding into a folder.

    Args:
        reader: The reader.
        seed: Seed of all inputs.
        seconds: Time after which it ends.
        count: Number of executions after which it ends.
        found: The folder, which is made at the first finding.
    """
    result, known, total = ReaderResult(reader.name), set[str](), 0
    started, deadline = _children_seconds(), time.monotonic() + seconds
    with tempfile.TemporaryDirectory(dir=memory_disk()) as name:
        work, made = Path(name) / "work", Path(name) / "corpus"
        work.mkdir()
        made.mkdir()
        corpus = list(reader.corpus(made))
        while result.executions < count and time.monotonic() < deadline and total < MOST_FINDINGS:
            task = Task(reader, corpus, work, seed, result.executions, count - result.executions, deadline)
            stop = run_worker(task)
            result.executions += stop.executed + bool(stop.reason)
            result.read += stop.read
            if not stop.reason:
                continue
            total += 1
            finding = save_finding(reader, task.input, stop, found)
            if (cause := f"{finding.reason.split(':')[0]} {finding.place}") not in known:
                known.add(cause)
                result.findings.append(finding)
            elif all(finding.file != other.file for other in result.findings):
                finding.file.unlink()
    result.seconds = _children_seconds() - started
    return result


def save_finding(reader: Reader, source: Path, stop: Stop, found: Path) -> Finding:
    """Copy the input of a finding into a folder.

    Args:
        reader: The reader.
        source: The input.
        stop: How the execution ended.
        found: The folder.
    """
    data = source.read_bytes()
    found.mkdir(parents=True, exist_ok=True)
    file = found / f"{reader.name}-{digest.sha256_of_bytes(data)[:12]}"
    file.write_bytes(data)
    lines = [line for line in stop.trace.splitlines() if line.strip()]
    frames = _FRAME.findall(stop.trace)
    if "exception" not in stop.reason:
        return Finding(reader.name, stop.reason, "", file)
    return Finding(reader.name, (lines or [stop.reason])[-1][:200], ":".join(frames[-1]) if frames else "", file)


def memory_disk() -> Path | None:
    """Return a folder in memory, where each fsync takes no time; None if the machine has none."""
    folder = Path("/dev/shm")  # noqa: S108 - a private folder is made in it
    return folder if folder.is_dir() else None


def _children_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def replay(reader: Reader, file: Path) -> str:
    """Execute one saved input in this process; an exception that is not allowed is raised."""
    with tempfile.TemporaryDirectory(dir=memory_disk()) as name:
        path = Path(name) / reader.file
        path.write_bytes(file.read_bytes())
        return reader.execute(path)
