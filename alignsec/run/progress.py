"""Progress: one line that a person can read in a log and the local runner can read back."""

import re
from dataclasses import dataclass
from typing import Self

_LINE = re.compile(
    r"progress: (?P<done>\d+)/(?P<total>\d+) images, (?P<rate>[\d.]+) passes/s, "
    r"at most (?P<left>\d+) s left \((?P<doing>.*)\)"
)


@dataclass(frozen=True)
class Progress:
    """How far one pair is."""

    done: int
    """Verdicts known: images times budgets."""
    total: int
    passes_per_second: float
    seconds_left: int
    """At most: as if every image that is still robust stayed so to the end."""
    doing: str

    def __str__(self) -> str:
        return (
            f"progress: {self.done}/{self.total} images, {self.passes_per_second:.1f} passes/s, "
            f"at most {self.seconds_left} s left ({self.doing})"
        )

    @classmethod
    def read(cls, line: str) -> Self | None:
        """The progress a line tells, or None if it tells none."""
        if not (found := _LINE.fullmatch(line.strip())):
            return None
        done, total, rate, left, doing = found.groups()
        return cls(int(done), int(total), float(rate), int(left), doing)
