"""Progress of a job: one line of its log, readable by people and by the local runner."""

import re
from dataclasses import dataclass
from typing import Self

_LINE = re.compile(
    r"progress: (?P<done>\d{1,15})/(?P<total>\d{1,15}) images, (?P<rate>\d{1,15}(?:\.\d{1,9})?) passes/s, "
    r"at most (?P<left>\d{1,15}) s left \((?P<stage>.*)\)"
)


@dataclass(frozen=True)
class Progress:
    """The progress of one pair."""

    done: int
    """Number of known verdicts, out of `total`."""
    total: int
    """Number of verdicts: images times budgets."""
    passes_per_second: float
    seconds_left: int
    """Upper bound: the time if every image that is still robust stays robust."""
    stage: str
    """The current step, such as "step 3 of 8", or "done"."""

    def __str__(self) -> str:
        return (
            f"progress: {self.done}/{self.total} images, {self.passes_per_second:.1f} passes/s, "
            f"at most {self.seconds_left} s left ({self.stage})"
        )

    @classmethod
    def read(cls, line: str) -> Self | None:
        """Return the progress that a line contains, or None."""
        if not (found := _LINE.fullmatch(line.strip())):
            return None
        done, total, rate, left, stage = found.groups()
        return cls(int(done), int(total), float(rate), int(left), stage)
