"""What happened to one seed, and the file that keeps the results of a campaign that was stopped."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

BAD = ("lost", "doubled", "wrong", "hung")


@dataclass
class SeedResult:
    """What happened to one seed."""

    seed: int
    kinds: tuple[str, ...]
    happened: list[str] = field(default_factory=list)
    """The faults that found something to hit."""
    detected: list[str] = field(default_factory=list)
    """What the project said about them."""
    submissions: int = 0
    lost: int = 0
    """Pairs without a verdict at the end."""
    doubled: int = 0
    """Pairs that ran again although their verdict was complete, or that the analysis counts twice."""
    wrong: int = 0
    """Verdicts that differ from those of the undisturbed run, and untrue reports."""
    hung: int = 0
    seconds: float = 0.0

    @property
    def is_bad(self) -> bool:
        """Whether something was lost, doubled, wrong or hung."""
        return any(getattr(self, name) for name in BAD)

    @property
    def outcome(self) -> str:
        """The end in a few words."""
        bad = [name for name in BAD if getattr(self, name)]
        times = "1 submission" if self.submissions == 1 else f"{self.submissions} submissions"
        return f"{', '.join(bad)} after {times}" if bad else f"same verdicts after {times}"


class ResultFile:
    """The results of a campaign, one line per seed, written as each seed ends.

    Args:
        path: The file; it may not exist.
    """

    def __init__(self, path: Path) -> None:
        self.results: list[SeedResult] = []
        self.seconds = 0.0
        """Wall time of the campaign, over all its parts."""
        self._path = path
        for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
            row: dict[str, Any] = json.loads(line)
            self.seconds = row.pop("campaign_seconds")
            row.pop("outcome")
            self.results.append(SeedResult(**{**row, "kinds": tuple(row["kinds"])}))
        self._seconds_before = self.seconds

    @property
    def done(self) -> set[int]:
        """The seeds that have a result."""
        return {result.seed for result in self.results}

    def add(self, result: SeedResult, seconds: float) -> None:
        """Append a result.

        Args:
            result: The result.
            seconds: Wall time since this part of the campaign began.
        """
        self.results.append(result)
        self.seconds = self._seconds_before + seconds
        row = {**asdict(result), "outcome": result.outcome, "campaign_seconds": round(self.seconds, 1)}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
