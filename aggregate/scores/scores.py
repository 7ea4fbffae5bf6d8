"""Scores: how well models align with brains and behaviour, and which of a study's models have them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from aggregate.scores import hierarchy, leaderboard
from aggregate.scores.hierarchy import AVERAGE, CATEGORIES, Hierarchy
from aggregate.scores.labels import RECOMPUTED, score_label
from aggregate.scores.leaderboard import Leaderboard
from alignsec import digest
from alignsec.errors import ConfigErrors
from alignsec.run.folder import RunFolder
from alignsec.run.plan import Plan

_ROUNDING = 0.002
"""Three decimals, rounded at each of the levels between a benchmark and its category."""

ScoreLevel = Literal["average", "category", "recomputed", "group", "benchmark", "set aside"]


@dataclass(frozen=True)
class ScoreColumn:
    """One score of every model."""

    name: str
    level: ScoreLevel
    """A group is a mean of benchmarks below a category, such as `V1`; a recomputed column is an average or a
    category of the scores that a model has; one benchmark is set aside by the study."""
    category: str
    """That a column is or belongs to, such as `neural_vision`; empty where it belongs to none."""

    @property
    def label(self) -> str:
        """What figures and tables call it: `neural_vision` is "neural"."""
        return score_label(self.name)


@dataclass(frozen=True)
class Scores:
    """A scores table, as far as it can be read."""

    columns: tuple[ScoreColumn, ...] = ()
    rows: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """By model and column; a missing score has no entry. Models whose rows contradict each other are absent."""
    contradicting: tuple[str, ...] = ()
    """Models with several rows that differ: nobody can say which is theirs."""
    remarks: tuple[str, ...] = ()
    """What could not be taken as it stands, in sentences for the report."""
    generated: str = ""
    """When the file says it was made; empty where it does not say."""

    @property
    def aggregates(self) -> tuple[ScoreColumn, ...]:
        """The average and the categories, in the file's order."""
        return self.of("average", "category")

    @property
    def summaries(self) -> tuple[ScoreColumn, ...]:
        """The average and the categories, the file's own and recomputed; every column, where there is none."""
        return self.of("average", "category", "recomputed") or self.columns

    @property
    def benchmarks(self) -> tuple[ScoreColumn, ...]:
        """The benchmarks, means and the one set aside left out: 105 of the leaderboard's 130 columns."""
        return self.of("benchmark")

    def of(self, *levels: ScoreLevel) -> tuple[ScoreColumn, ...]:
        """The columns of these levels, in the file's order."""
        return tuple(column for column in self.columns if column.level in levels)


@dataclass(frozen=True)
class Matching:
    """Which of a study's models have scores. Names are compared letter by letter."""

    matched: tuple[str, ...]
    without_row: tuple[str, ...]
    contradicting: tuple[str, ...]
    """Models of the study left out because their rows differ."""
    not_in_study: tuple[str, ...]
    """Names of rows that no model of the study has."""


def read_run_scores(folder: RunFolder, plan: Plan) -> Scores | None:
    """The scores a run was submitted with, or None if its study has none.

    Raises Mistakes if the file is gone or is not the one that was submitted.
    """
    if plan.scores is None:
        return None
    try:
        data = folder.scores.read_bytes()
    except OSError as error:
        remedy = f"cannot be read ({error.strerror}); copy {plan.scores.source} here or submit the study again"
        raise ConfigErrors.about(folder.scores, remedy) from None
    found = digest.sha256_of_bytes(data)
    if found != plan.scores.sha256:
        remedy = (
            f"was changed after submission: its SHA-256 begins with {found[:10]}, the plan's with "
            f"{plan.scores.sha256[:10]}; put the old file back or submit the study again"
        )
        raise ConfigErrors.about(folder.scores, remedy)
    return parse_scores(data)


def parse_scores(data: bytes) -> Scores:
    """Read a leaderboard in any form that `aggregate.scores.leaderboard` knows, and recompute its averages.

    Never raises for content: what cannot be read becomes a remark, and no value is made up for it.
    """
    sheet = leaderboard.read_leaderboard(data)
    tree = hierarchy.build_hierarchy(sheet.columns)
    columns = [ScoreColumn(name, _level(name, tree), tree.category(name)) for name in sheet.columns]
    rows = {model: dict(row) for model, row in sheet.rows.items()}
    remarks = list(sheet.remarks)
    for column, values, remark in _recomputed(sheet, tree):
        columns.append(column)
        remarks.append(remark)
        for model, value in values.items():
            rows[model][column.name] = value
    return Scores(tuple(columns), rows, sheet.contradicting, tuple(remarks), sheet.generated)


def _level(name: str, tree: Hierarchy) -> ScoreLevel:
    if name == AVERAGE:
        return "average"
    if hierarchy.is_category(name):
        return "category"
    if name in tree.children:
        return "group"
    return "set aside" if name in hierarchy.SET_ASIDE else "benchmark"


def _recomputed(sheet: Leaderboard, tree: Hierarchy) -> Iterator[tuple[ScoreColumn, dict[str, float], str]]:
    """The averages of the scores that each model has, where the file's own differ or it has none."""
    for name in (AVERAGE, *CATEGORIES):
        if len(tree.children.get(name, ())) < 2:
            continue
        found = {model: tree.mean(name, row) for model, row in sheet.rows.items()}
        values = {model: value for model, value in found.items() if value is not None}
        remark = _remark(name, values, sheet, tree)
        if remark:
            yield ScoreColumn(name + RECOMPUTED, "recomputed", tree.category(name)), values, remark


def _remark(name: str, values: Mapping[str, float], sheet: Leaderboard, tree: Hierarchy) -> str:
    """What is to be said of a recomputed average; empty where the file's own is the same."""
    if name not in sheet.columns:
        return (
            f"The file has no column {name}. The report uses the mean of the scores below it, "
            f"labelled “{score_label(name + RECOMPUTED)}”."
        )
    given = {model: sheet.rows[model][name] for model in values if name in sheet.rows[model]}
    apart = [abs(values[model] - value) for model, value in given.items()]
    differing = sum(gap > _ROUNDING for gap in apart)
    if not differing:
        return ""
    with_zeros = {model: tree.mean(name, sheet.rows[model], missing=0.0) or 0.0 for model in given}
    as_zero = sum(abs(with_zeros[model] - value) <= _ROUNDING for model, value in given.items())
    # Brain-Score's own averages do this, so a model that was measured on less looks less aligned.
    what = (
        "counts a missing score as 0" if as_zero > 0.9 * len(given) else "is not the mean of the scores below it"
    )
    return (
        f"{name} {what}: the mean of the scores that a model has differs for {differing} of {len(given)} models, "
        f"by up to {max(apart):.3f}. The report also shows this mean, labelled “{score_label(name + RECOMPUTED)}”."
    )


def match_models(models: Iterable[str], scores: Scores) -> Matching:
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
