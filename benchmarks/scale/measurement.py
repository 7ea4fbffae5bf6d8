"""Processor time and memory of a command."""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from alignsec.schema import StrictModel

CHECKOUT = Path(__file__).parents[2]


class ScaleRow(StrictModel):
    """One measurement."""

    part: str
    """One of plan, again, status and failures."""
    case: str
    pairs: int
    seconds: float
    """Processor time, user and system."""
    peak_mb: int
    peer: str = ""
    """What `ratio` compares with; empty without a peer."""
    ratio: float | None = None
    """The peer's processor time over ours."""
    machine: str
    load: float
    """Processes that wanted to run, averaged over a minute. With more than cores, processor times are too long."""


@dataclass(frozen=True)
class Usage:
    """What a command used."""

    seconds: float
    """Processor time, user and system."""
    peak_mb: int
    output: str


def measure_command(words: Sequence[str]) -> Usage:
    """Run a command in the repository and return what it used.

    It is started by a process that starts nothing else: only the largest memory of all children can be read.

    Raises:
        subprocess.CalledProcessError: The command failed.
    """
    program = (
        "import resource, subprocess, sys; done = subprocess.run(sys.argv[1:], stdout=2); "
        "used = resource.getrusage(resource.RUSAGE_CHILDREN); "
        "print(used.ru_utime + used.ru_stime, used.ru_maxrss); sys.exit(done.returncode)"
    )
    command = [sys.executable, "-c", program, sys.executable, *words]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True)
    seconds, peak = done.stdout.split()
    return Usage(float(seconds), round(int(peak) * 1024 / 1e6), done.stderr)
