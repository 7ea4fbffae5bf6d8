"""Scores: how well models align with brains and behaviour, read from a Brain-Score leaderboard's CSV."""

import csv
import io
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from alignsec import digest
from alignsec.mistake import Mistake, Mistakes
from alignsec.run_folder import Plan, RunFolder

AVERAGE = "average_vision"
_AGGREGATE = re.compile(r".+_vision")
_IGNORED = frozenset({"rank", "filtered score", ""})
# Today's leaderboard leaves a cell empty, the legacy export writes X.
_MISSING = frozenset({"", "x", "nan", "na", "n/a"})
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")

Level = Literal["average", "category", "benchmark"]


@dataclass(frozen=True)
class Column:
    """One score of every model."""

    name: str
    level: Level
    category: str
    """The aggregate column that a benchmark follows, such as `neural_vision`; empty where it follows none."""

    @property
    def label(self) -> str:
        """What figures and tables call it: `neural_vision` is "neural"."""
        return self.name if self.level == "benchmark" else self.name.removesuffix("_vision")


@dataclass(frozen=True)
class Scores:
    """A scores table, as far as it can be read."""

    columns: tuple[Column, ...] = ()
    rows: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """By model and column; a missing score has no entry. Models whose rows contradict each other are absent."""
    contradicting: tuple[str, ...] = ()
    """Models with several rows that differ: nobody can say which is theirs."""
    remarks: tuple[str, ...] = ()
    """What could not be taken as it stands, in sentences for the report."""

    @property
    def aggregates(self) -> tuple[Column, ...]:
        """The average and the categories, in the file's order."""
        return tuple(column for column in self.columns if column.level != "benchmark")


@dataclass(frozen=True)
class Matching:
    """Which of a study's models have scores. Names are compared letter by letter."""

    matched: tuple[str, ...]
    without_row: tuple[str, ...]
    contradicting: tuple[str, ...]
    """Models of the study left out because their rows differ."""
    not_in_study: tuple[str, ...]
    """Names of rows that no model of the study has."""


def of_run(folder: RunFolder, plan: Plan) -> Scores | None:
    """The scores a run was submitted with, or None if its study has none.

    Raises Mistakes if the file is gone or is not the one that was submitted.
    """
    if plan.scores is None:
        return None
    try:
        data = folder.scores.read_bytes()
    except OSError as error:
        remedy = f"cannot be read ({error.strerror}); copy {plan.scores.source} here or submit the study again"
        raise Mistakes([Mistake(str(folder.scores), "", "", remedy)]) from None
    found = digest.of_bytes(data)
    if found != plan.scores.sha256:
        remedy = (
            f"was changed after submission: its SHA-256 begins with {found[:10]}, the plan's with "
            f"{plan.scores.sha256[:10]}; put the old file back or submit the study again"
        )
        raise Mistakes([Mistake(str(folder.scores), "", "", remedy)])
    return parse(data)


def parse(data: bytes) -> Scores:
    """Read a leaderboard: perhaps a line that starts with #, a header with a Model column, one row a model.

    Never raises for content: what cannot be read becomes a remark, and no value is made up for it.
    """
    try:
        lines = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))
    except (UnicodeDecodeError, csv.Error) as error:
        return Scores(remarks=(f"The scores file is not a CSV file in UTF-8 ({error}); no score was read.",))
    if lines and lines[0] and lines[0][0].startswith("#"):
        lines = lines[1:]
    lines = [line for line in lines if any(cell.strip() for cell in line)]
    header = [name.strip() for name in lines[0]] if lines else []
    at_model = next((at for at, name in enumerate(header) if name.lower() == "model"), None)
    if at_model is None:
        return Scores(remarks=("The scores file has no column named Model; no score was read.",))
    repeated = sorted(name for name, count in Counter(header).items() if count > 1 and name)
    taken = {
        name: at
        for at, name in reversed(list(enumerate(header)))
        if at != at_model and name.lower() not in _IGNORED
    }
    places = sorted(taken.values())
    rows, contradicting, remarks = _rows(lines[1:], header, at_model, places)
    if repeated:
        remarks.append(f"Columns named twice were read once, the leftmost: {', '.join(repeated)}.")
    return Scores(tuple(_columns([header[at] for at in places])), rows, tuple(contradicting), tuple(remarks))


def _columns(names: Sequence[str]) -> Iterable[Column]:
    """Benchmarks belong to the last category to their left: the leaderboard writes a tree depth first."""
    category = ""
    for name in names:
        if name == AVERAGE:
            yield Column(name, "average", "")
        elif _AGGREGATE.fullmatch(name):
            category = name
            yield Column(name, "category", name)
        else:
            yield Column(name, "benchmark", category)


def _rows(
    lines: Sequence[Sequence[str]], header: Sequence[str], at_model: int, places: Sequence[int]
) -> tuple[dict[str, dict[str, float]], list[str], list[str]]:
    """The rows by model, the models whose rows contradict each other, and remarks."""
    rows: dict[str, dict[str, float]] = {}
    contradicting: dict[str, None] = {}
    unreadable: list[str] = []
    nameless = uneven = 0
    for line in lines:
        uneven += len(line) != len(header)
        # Not stripped: today's leaderboard has both "vonegrcnn_47e" and the same with a space behind it.
        name = line[at_model] if at_model < len(line) else ""
        if not name.strip():
            nameless += 1
            continue
        row = {}
        for at in places:
            cell = line[at].strip() if at < len(line) else ""
            value = _number(cell)
            if value is not None:
                row[header[at]] = value
            elif cell.lower() not in _MISSING:
                unreadable.append(f"“{cell[:40]}” ({name}, {header[at]})")
        if rows.setdefault(name, row) != row:
            contradicting[name] = None
    remarks = []
    if nameless:
        remarks.append(f"Rows without a model's name, left out: {nameless}.")
    if uneven:
        remarks.append(f"Rows with more or fewer cells than the header has columns: {uneven}.")
    if unreadable:
        remarks.append(
            f"Cells that are neither numbers nor blank, taken as missing: {len(unreadable)}; "
            f"the first is {unreadable[0]}."
        )
    return {name: row for name, row in rows.items() if name not in contradicting}, [*contradicting], remarks


def _number(cell: str) -> float | None:
    if not _NUMBER.fullmatch(cell):
        return None
    value = float(cell)
    return value if math.isfinite(value) else None


def match(models: Iterable[str], scores: Scores) -> Matching:
    """Join a study's models to the rows of a scores table, by exact name."""
    names = list(dict.fromkeys(models))
    contradicting = set(scores.contradicting)
    known = set(names)
    return Matching(
        matched=tuple(name for name in names if name in scores.rows),
        without_row=tuple(name for name in names if name not in scores.rows and name not in contradicting),
        contradicting=tuple(name for name in names if name in contradicting),
        not_in_study=tuple(name for name in (*scores.rows, *scores.contradicting) if name not in known),
    )
