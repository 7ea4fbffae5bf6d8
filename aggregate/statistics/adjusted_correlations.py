"""The table of correlations that the report's claims rest on: every score, with and without clean accuracy.

`family_correlation` computes each correlation and `budget_networks` prepares its input. Averages and categories
are also adjusted for coverage, the share of benchmarks for which a model has a score, and computed among the
models with (almost) all scores: the leaderboard's averages rise with coverage.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace

import numpy as np
import pandas as pd

from aggregate.scores.scores import ScoreColumn, Scores
from aggregate.statistics.arrays import Bits, Floats
from aggregate.statistics.budget_networks import BUDGET, Budget, BudgetNetworks, coverage_of, read_budget
from aggregate.statistics.family_correlation import Adjusted, Measured, correlate_all
from aggregate.statistics.familywise import familywise_p
from aggregate.statistics.networks import Networks

LEVEL = 0.05
"""Chance that the report claims any relation under one attack if no score is related given clean accuracy."""
AGGREGATES = frozenset({"average", "category", "recomputed"})
GIVEN_CLEAN = "clean accuracy"
GIVEN_COVERAGE = "clean accuracy and coverage"
ALL, COMPLETE = "all", "complete cases"
WELL_COVERED = 0.9
"""Share of the neural and behavioural benchmarks that a model needs to be a complete case."""


@dataclass(frozen=True)
class Row:
    """One score under one attack at one budget; the fields of `Adjusted` follow in the table.

    Attributes:
        given: What the correlation is adjusted for: empty, "clean accuracy" or "clean accuracy and coverage".
        models: "all", or "complete cases": models with 90 % of the neural and behavioural benchmarks.
        p_familywise: p value adjusted for all scores of one kind (aggregates or benchmarks) at one budget.
        sampling: Origin of the sampling error: "verdicts", "counts" (an upper bound) or "unknown" (not corrected).
        clean: Source of the clean accuracy: "published", "measured", or how many models have which.
        coverage: Mean share of the neural and behavioural benchmarks that these models have.
    """

    attack: str
    norm: str
    eps: str
    eps_value: float
    score: str
    level: str
    category: str
    given: str
    models: str
    sampling: str
    clean: str
    coverage: float


COLUMNS = [
    *(field.name for field in fields(Row)),
    *(field.name for field in fields(Adjusted) if field.name != "note"),
    "p_familywise",
    "note",
]
NUMBERS = ["coverage", "effective_models", "r", "low", "high", "p", "p_familywise"]


def adjusted_correlations(
    table: pd.DataFrame,
    scores: Scores | None,
    networks: Networks,
    robust: Mapping[tuple[str, str, str], Bits],
    *,
    claims_only: bool = False,
) -> pd.DataFrame:
    """Return one row per attack, budget, score, adjustment and set of models.

    Args:
        table: Columns model, attack, norm, eps, eps_value, images, robust_accuracy and clean_accuracy.
        scores: The scores; None gives an empty table.
        networks: Facts about the models.
        robust: Packed bits of the robust images, by model, attack and eps.
        claims_only: Whether to compute only the rows that `claims` chooses from; for simulations.
    """
    rows: list[dict[str, object]] = []
    if scores is not None:
        for budget, part in table[table["robust_accuracy"].notna()].groupby(BUDGET, sort=False):
            found = read_budget(budget, part, networks, robust)
            rows.extend(_of_budget(budget, found, scores, claims_only=claims_only))
    return pd.DataFrame(rows, columns=COLUMNS).astype(dict.fromkeys(NUMBERS, "float64"))


def claims(adjusted: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that the report may call related given clean accuracy.

    The level is divided between aggregates and benchmarks. A claim needs a family-wise p value below its share,
    and an interval that excludes 0. Rows adjusted for coverage and complete cases support no claim of their own.
    """
    given = adjusted[(adjusted["given"] == GIVEN_CLEAN) & (adjusted["models"] == ALL)]
    given = given[given["p_familywise"].notna()]
    return given[(given["p_familywise"] < LEVEL / 2) & (given["p"] < LEVEL)]


def _of_budget(
    budget: Budget, found: BudgetNetworks, scores: Scores, *, claims_only: bool
) -> Iterator[dict[str, object]]:
    coverage = coverage_of(found.benchmarks(scores))
    aggregates = [column for column in scores.columns if column.level in AGGREGATES]
    covered = replace(found.measured, covariates=coverage[:, None])
    complete = np.where(coverage >= WELL_COVERED, 0.0, np.nan)
    names = [column.name for column in scores.columns]
    place = {name: at for at, name in enumerate(names)}
    known_scores = found.score_columns(scores, names)
    questions: list[tuple[str, str, Sequence[ScoreColumn], Measured]] = [
        ("", ALL, scores.columns, found.without_clean()),
        (GIVEN_CLEAN, ALL, scores.columns, found.measured),
        (GIVEN_COVERAGE, ALL, aggregates, covered),
        (GIVEN_CLEAN, COMPLETE, aggregates, found.measured),
    ]
    if claims_only:
        questions = [question for question in questions if question[:2] == (GIVEN_CLEAN, ALL)]
    for given, models, columns, measured in questions:
        if not columns:
            continue
        values = known_scores[:, [place[column.name] for column in columns]]
        if models == COMPLETE:
            values = values + complete[:, None]
        results, sums = correlate_all(values, measured)
        p = _familywise(columns, results, sums)
        for column, value, adjusted, familywise in zip(columns, values.T, results, p, strict=True):
            known = np.isfinite(value)
            row = Row(
                *budget, column.name, column.level, column.category, given, models, found.sampling,
                found.clean.describe(known) if given else "",
                float(coverage[known].mean()) if known.any() else np.nan,
            )  # fmt: skip
            yield {**asdict(row), **asdict(adjusted), "p_familywise": familywise}


def _familywise(columns: Sequence[ScoreColumn], results: Sequence[Adjusted], sums: Floats) -> Floats:
    p = np.full(len(columns), np.nan)
    aggregate = np.array([column.level in AGGREGATES for column in columns])
    benchmark = np.array([column.level == "benchmark" for column in columns])
    for kind in (aggregate, benchmark):
        if kind.any():
            p[kind] = familywise_p(sums[:, kind])
    # A score cannot be clearer among many than by itself; the bootstrap alone is liberal for skewed scores.
    alone = np.array([np.nan if result.p is None else result.p for result in results])
    larger: Floats = np.maximum(p, alone)
    return larger
