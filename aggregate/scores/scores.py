"""Scores: the alignment of models with brains and behaviour, and the models of a study that have scores."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from aggregate.scores import hierarchy
from aggregate.scores.hierarchy import AVERAGE, CATEGORIES, Hierarchy
from aggregate.scores.labels import RECOMPUTED, score_label
from alignsec import digest, leaderboard
from alignsec.errors import ConfigErrors
from alignsec.leaderboard import Leaderboard
from alignsec.run.folder import RunFolder
from alignsec.run.plan import Plan

_ROUNDING = 0.002
"""Tolerance for means of scores with three decimals, rounded at each level between a benchmark and its
category."""

ScoreLevel = Literal["average", "category", "recomputed", "group", "benchmark", "set aside"]


@dataclass(frozen=True)
class ScoreColumn:
    """One score column."""

    name: str
    level: ScoreLevel
    """A "group" is a mean of benchmarks below a category, such as `V1`. A "recomputed" column is an average or a
    category, recomputed from the scores that each model has. The study leaves out the benchmark "set aside"."""
    category: str
    """Category that the column is or belongs to, such as `neural_vision`; empty if there is none."""

    @property
    def label(self) -> str:
        """Text that figures and tables print, such as "neural" for `neural_vision`."""
        return score_label(self.name)


@dataclass(frozen=True)
class Scores:
    """The scores of a file, with recomputed averages."""

    columns: tuple[ScoreColumn, ...] = ()
    rows: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Scores by model and column. A missing score has no entry. A model with contradicting rows is absent."""
    contradicting: tuple[str, ...] = ()
    """Models with several different rows, of which none can be chosen."""
    remarks: tuple[str, ...] = ()
    """Sentences for the report about content that could not be read as given."""
    generated: str = ""
    """Generation time as stated in the file; empty if it has none."""

    @property
    def aggregates(self) -> tuple[ScoreColumn, ...]:
        """The average and the categories, each recomputed where the file's counts a missing score as 0."""
        found = self.select_columns("average", "category", "recomputed")
        recomputed = {column.name.removesuffix(RECOMPUTED) for column in found if column.level == "recomputed"}
        return tuple(column for column in found if column.name not in recomputed)

    @property
    def summaries(self) -> tuple[ScoreColumn, ...]:
        """The average and the categories, from the file and recomputed; all columns if there are none."""
        return self.select_columns("average", "category", "recomputed") or self.columns

    @property
    def benchmarks(self) -> tuple[ScoreColumn, ...]:
        """The benchmarks without means and without the one set aside: 105 of the leaderboard's 130 columns."""
        return self.select_columns("benchmark")

    @property
    def coverage(self) -> dict[str, float]:
        """Share of the neural and behavioural benchmarks that each model has a score for."""
        names = {column.name for column in self.benchmarks if column.category in CATEGORIES[:2]}
        return {model: len(names & row.keys()) / len(names) for model, row in self.rows.items()} if names else {}

    def select_columns(self, *levels: ScoreLevel) -> tuple[ScoreColumn, ...]:
        """Return the columns of these levels, in the file's order."""
        return tuple(column for column in self.columns if column.level in levels)


@dataclass(frozen=True)
class Matching:
    """The match between a study's models and the rows of a scores file. Names must be equal in every letter."""

    matched: tuple[str, ...]
    without_row: tuple[str, ...]
    contradicting: tuple[str, ...]
    """Models of the study that are left out because their rows differ."""
    not_in_study: tuple[str, ...]
    """Names of rows that are not models of the study."""


def read_run_scores(folder: RunFolder, plan: Plan) -> Scores | None:
    """Return the scores that a run was submitted with, or None if its study has no scores.

    Raises:
        ConfigErrors: The file is missing, or its digest differs from the plan's.
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
            f"{plan.scores.sha256[:10]}; restore the original file or submit the study again"
        )
        raise ConfigErrors.about(folder.scores, remedy)
    return parse_scores(data)


def parse_scores(data: bytes) -> Scores:
    """Read a scores file and recompute its averages.

    Args:
        data: The bytes of a file in any format that `alignsec.leaderboard` reads.

    Returns:
        The scores. Invalid content raises no error: it is left out, and a remark describes it.
    """
    read = leaderboard.read_leaderboard(data)
    tree = hierarchy.build_hierarchy(read.columns)
    columns = [ScoreColumn(name, _find_level(name, tree), tree.category(name)) for name in read.columns]
    rows = {model: dict(row) for model, row in read.rows.items()}
    remarks = list(read.remarks)
    without_base = 0
    for column, values, remark in _recompute_averages(read, tree):
        # In front of the column that it recomputes: that one also depends on how many scores a model has.
        names = [other.name for other in columns]
        base = column.name.removesuffix(RECOMPUTED)
        columns.insert(names.index(base) if base in names else without_base, column)
        without_base += base not in names
        remarks.append(remark)
        for model, value in values.items():
            rows[model][column.name] = value
    return Scores(tuple(columns), rows, read.contradicting, tuple(remarks), read.generated)


def _find_level(name: str, tree: Hierarchy) -> ScoreLevel:
    if name == AVERAGE:
        return "average"
    if hierarchy.is_category(name):
        return "category"
    if name in tree.children:
        return "group"
    return "set aside" if name in hierarchy.SET_ASIDE else "benchmark"


def _recompute_averages(read: Leaderboard, tree: Hierarchy) -> Iterator[tuple[ScoreColumn, dict[str, float], str]]:
    """Yield each average that the file does not have or that differs from the mean of a model's scores."""
    for name in (AVERAGE, *CATEGORIES):
        if len(tree.children.get(name, ())) < 2:
            continue
        means = {model: tree.mean(name, row) for model, row in read.rows.items()}
        values = {model: value for model, value in means.items() if value is not None}
        remark = _describe_average(name, values, read, tree)
        if remark:
            yield ScoreColumn(name + RECOMPUTED, "recomputed", tree.category(name)), values, remark


def _describe_average(name: str, values: Mapping[str, float], read: Leaderboard, tree: Hierarchy) -> str:
    """Return the remark about a recomputed average; empty if it equals the file's."""
    label = score_label(name + RECOMPUTED)
    if name not in read.columns:
        return (
            f"The file has no column {name}. The report uses the mean of the scores below it, labelled “{label}”."
        )
    given = {model: read.rows[model][name] for model in values if name in read.rows[model]}
    differences = [abs(values[model] - value) for model, value in given.items()]
    differing = sum(difference > _ROUNDING for difference in differences)
    if not differing:
        return ""
    with_zeros = {model: tree.mean(name, read.rows[model], missing=0.0) or 0.0 for model in given}
    as_zero = sum(abs(with_zeros[model] - value) <= _ROUNDING for model, value in given.items())
    # Brain-Score's own averages count a missing score as 0, so a model with fewer scores looks less aligned.
    what = (
        "counts a missing score as 0" if as_zero > 0.9 * len(given) else "is not the mean of the scores below it"
    )
    return (
        f"{name} {what}: the mean of the scores that a model has differs for {differing} of {len(given)} models, "
        f"by up to {max(differences):.3f}. The report also shows this mean, labelled “{label}”."
    )


def match_models(models: Iterable[str], scores: Scores) -> Matching:
    """Match a study's models with the rows of a scores file by exact name."""
    names = list(dict.fromkeys(models))
    contradicting = set(scores.contradicting)
    known = set(names)
    return Matching(
        matched=tuple(name for name in names if name in scores.rows),
        without_row=tuple(name for name in names if name not in scores.rows and name not in contradicting),
        contradicting=tuple(name for name in names if name in contradicting),
        not_in_study=tuple(name for name in (*scores.rows, *scores.contradicting) if name not in known),
    )
