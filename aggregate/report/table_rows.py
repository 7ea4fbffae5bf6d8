"""Rows of the report's statistics tables, shorter than the frames; the CSV files give every row."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from aggregate.formatting import format_budget
from aggregate.scores.labels import score_label
from aggregate.statistics import mcnemar
from aggregate.statistics.tables import Tables

_SIGNIFICANT = 0.05
_BUDGET = ["attack", "norm", "eps", "eps_value"]

Groups = list[tuple[str, list[Any]]]
"""Rows of a table under headings."""


def make_statistics_values(statistics: Tables, table: pd.DataFrame) -> dict[str, object]:
    """Make the values of the templates correlations.html and statistics.html.

    Args:
        statistics: All tables of statistics.
        table: Rows of table.csv.

    Returns:
        Values by their name in the templates.
    """
    correlations = statistics.correlations
    return {
        "aggregates": group_by_budget(correlations[correlations["level"] != "benchmark"]),
        "benchmarks": group_by_budget(correlations[correlations["level"] == "benchmark"]),
        "regressions": group_by_budget(statistics.regressions),
        "families": list(summarize_families(statistics.families, correlations)),
        "prediction": group_by_budget(statistics.prediction),
        "importance": select_most_important(statistics.importance),
        "comparisons": list(summarize_comparisons(statistics.comparisons, table)),
        "most_compared": mcnemar.MAX_MODELS,
        "sampling": group_by_budget(statistics.sampling),
        "propagated": group_by_budget(statistics.propagated),
    }


@dataclass(frozen=True)
class FamilySummary:
    """The range of one score's correlation at one budget when each family of architectures is left out."""

    budget: str
    score: str
    n: int
    """Number of models, all families together."""
    spearman_r: float
    """Correlation over all models."""
    lowest: float
    without_lowest: str
    """The family without which the correlation is lowest, and n of the remaining models."""
    highest: float
    without_highest: str
    """The family without which the correlation is highest, and n of the remaining models."""
    families: int
    note: str
    """Reason if no correlation could be computed, else empty."""


def summarize_families(frame: pd.DataFrame, correlations: pd.DataFrame) -> Iterator[FamilySummary]:
    """Summarize the leave-one-family-out correlations.

    Args:
        frame: Rows of families.csv.
        correlations: Rows of correlations.csv.

    Yields:
        One row per budget and score, in the order of the frame.
    """
    overall = correlations.set_index(["attack", "eps", "score"])[["spearman_r", "n"]]
    for (attack, eps, score), rows in frame.groupby(["attack", "eps", "score"], sort=False):
        r, n = overall.loc[(attack, eps, score)]
        known = rows[rows["spearman_r"].notna()]
        first = (_format_heading(attack, eps), score_label(score), int(n), float(r))
        if known.empty:
            yield FamilySummary(*first, float("nan"), "", float("nan"), "", len(rows), rows["note"].mode().iloc[0])
            continue
        low, high = (known.loc[at] for at in (known["spearman_r"].idxmin(), known["spearman_r"].idxmax()))
        yield FamilySummary(
            *first, low["spearman_r"], f"{low['left_out']} (n = {low['n']})",
            high["spearman_r"], f"{high['left_out']} (n = {high['n']})", len(rows), "",
        )  # fmt: skip


@dataclass(frozen=True)
class ComparisonSummary:
    """The results of McNemar's tests of all pairs of models at one budget."""

    budget: str
    models: int
    """Number of models compared, at most `mcnemar.MAX_MODELS`, the most robust ones."""
    answered: int
    """Number of models with an outcome at this budget."""
    pairs: int
    """Number of pairs of models tested."""
    significant: int
    """Number of tested pairs with q < 0.05."""
    best: str
    """The model that is significantly more robust than most others."""
    beaten: int
    """Number of models that it is significantly more robust than."""
    note: str
    """Reason if pairs were not tested, else empty."""


def summarize_comparisons(frame: pd.DataFrame, table: pd.DataFrame) -> Iterator[ComparisonSummary]:
    """Summarize the comparisons of models.

    Args:
        frame: Rows of comparisons.csv.
        table: Rows of table.csv.

    Yields:
        One row per budget, in the order of the frame.
    """
    answered = table.groupby(["attack", "eps"])["model"].nunique()
    for (attack, _, eps, _), rows in frame.groupby(_BUDGET, sort=False, dropna=False):
        tested = rows[rows["q"].notna()]
        significant = tested[tested["q"] < _SIGNIFICANT]
        winners = (
            significant["model_a"]
            .where(significant["only_a"] > significant["only_b"], significant["model_b"])
            .value_counts()
        )
        best = sorted(winners.index[winners == winners.max()]) if len(winners) else [""]
        notes = rows.loc[rows["q"].isna(), "note"]
        yield ComparisonSummary(
            _format_heading(attack, eps), len({*rows["model_a"], *rows["model_b"]}), int(answered[attack, eps]),
            len(tested), len(significant), best[0],
            int(winners.max()) if len(winners) else 0, str(notes.mode().iloc[0]) if len(notes) else "",
        )  # fmt: skip


def select_most_important(frame: pd.DataFrame, most: int = 10) -> Groups:
    """Return the benchmarks with the largest importance at each budget that has a prediction.

    Args:
        frame: Rows of importance.csv.
        most: Largest number of benchmarks per budget.
    """
    by_budget = frame[frame["importance"].notna()].groupby(_BUDGET, sort=False, dropna=False)
    return [
        (_format_heading(attack, eps), list(rows.nlargest(most, "importance", keep="first").itertuples()))
        for (attack, _, eps, _), rows in by_budget
    ]


def group_by_budget(frame: pd.DataFrame) -> Groups:
    """Return the rows of a frame by attack and budget, each under a heading."""
    by_budget = frame.groupby(["attack", "eps"], sort=False)
    return [(_format_heading(attack, eps), list(rows.itertuples())) for (attack, eps), rows in by_budget]


def _format_heading(attack: str, eps: str) -> str:
    return attack if eps == "0" else f"{attack}, {format_budget(eps)}"
