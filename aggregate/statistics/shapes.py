"""Shapes that a rank correlation cannot see: whether robust accuracy is a curved function of a score.

Sucholutsky and Griffiths (2023, arXiv 2301.11990) report a U shape: robustness is higher at low and at high
alignment. The test is the correlation of robust accuracy with the squared score, given the score. Normal scores
are used, so that one extreme model does not decide. Given clean accuracy, its square is a covariate too; otherwise
a curved relation of the accuracies would look like one of the score. The interval and p are those of
`family_correlation`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace

import numpy as np
import pandas as pd
from scipy import special

from aggregate.scores.scores import ScoreColumn, Scores
from aggregate.statistics.adjusted_correlations import AGGREGATES, GIVEN_CLEAN
from aggregate.statistics.arrays import Bits, Floats
from aggregate.statistics.budget_networks import Budget, BudgetNetworks, iter_budgets
from aggregate.statistics.family_correlation import Adjusted, Measured, correlate_all, normal_scores
from aggregate.statistics.familywise import familywise_p
from aggregate.statistics.networks import Networks

LEVEL = 0.05
MIDDLE = 0.05
"""Smallest share of models on each side of the turning point for a U shape; with fewer, the relation is bent."""


@dataclass(frozen=True)
class Shape:
    """The shape of one relation at one budget; the fields of `Adjusted` follow in the table.

    Attributes:
        given: What the relation is adjusted for: empty or "clean accuracy".
        shape: "U", "inverted U" or "bent", if the family-wise p is below 0.05; otherwise empty.
        turning_point: Share of models with a score below the turning point of the parabola.
        p_familywise: p value adjusted for all scores at one budget.
    """

    attack: str
    norm: str
    eps: str
    eps_value: float
    score: str
    level: str
    category: str
    given: str
    shape: str
    turning_point: float
    p_familywise: float


COLUMNS = [field.name for kind in (Shape, Adjusted) for field in fields(kind)]
NUMBERS = ["turning_point", "p_familywise", "effective_models", "r", "low", "high", "p"]


def find_shapes(
    table: pd.DataFrame,
    scores: Scores | None,
    networks: Networks,
    robust: Mapping[tuple[str, str, str], Bits],
) -> pd.DataFrame:
    """Return one row per attack, budget, average or category, and adjustment.

    Args:
        table: Columns model, attack, norm, eps, eps_value, images, robust_accuracy and clean_accuracy.
        scores: The scores; None gives an empty table.
        networks: Facts about the models.
        robust: Packed bits of the robust images, by model, attack and eps.
    """
    rows: list[dict[str, object]] = []
    if scores is not None:
        columns = [column for column in scores.columns if column.level in AGGREGATES]
        for _, part in table[table["robust_accuracy"].notna()].groupby("attack", sort=False):
            for budget, found in iter_budgets(part, networks, robust):
                for given, measured in (("", found.without_clean()), (GIVEN_CLEAN, found.measured)):
                    rows.extend(_at_budget(budget, given, measured, columns, found, scores))
    return pd.DataFrame(rows, columns=COLUMNS).astype(dict.fromkeys(NUMBERS, "float64"))


def _at_budget(
    budget: Budget,
    given: str,
    measured: Measured,
    columns: list[ScoreColumn],
    found: BudgetNetworks,
    scores: Scores,
) -> Iterator[dict[str, object]]:
    results = [estimate_curvature(found.score(scores, column.name), measured) for column in columns]
    if not results:
        return
    p = familywise_p(np.stack([sums for _, _, sums in results], axis=1))
    for column, (adjusted, turning, _), familywise in zip(columns, results, p, strict=True):
        shape = Shape(
            *budget, column.name, column.level, column.category, given, _name_shape(adjusted, turning, familywise),
            turning, familywise,
        )  # fmt: skip
        yield {**asdict(shape), **asdict(adjusted)}


def estimate_curvature(score: Floats, measured: Measured) -> tuple[Adjusted, float, Floats]:
    """Correlate robust accuracy with the squared score, given the score.

    Args:
        score: Score of each network, NaN if it has none, shape (networks,).
        measured: The networks' accuracies and families.

    Returns:
        The correlation; the share of networks below the turning point of the fitted parabola, NaN if there is
        none; and the family sums for `familywise_p`.
    """
    known = np.isfinite(score) & np.isfinite(measured.robust)
    if measured.clean is not None:
        known &= np.isfinite(measured.clean)
    x = np.full(len(score), np.nan)
    if known.any():
        x[known] = normal_scores(score[known])
    clean = np.zeros(len(score)) if measured.clean is None else measured.clean
    centred = clean - clean[known].mean() if known.any() else clean
    covariates = np.column_stack([x] if measured.clean is None else [x, centred**2])
    (adjusted,), sums = correlate_all(x[:, None] ** 2, replace(measured, covariates=covariates), ranked=False)
    turning = np.nan
    if adjusted.p is not None:
        design = np.column_stack([x**2, x, np.ones(len(x)), *([] if measured.clean is None else [centred])])
        square, slope = np.linalg.lstsq(design[known], measured.robust[known], rcond=None)[0][:2]
        turning = float(special.ndtr(-slope / (2 * square))) if square else np.nan
    return adjusted, turning, sums[:, 0]


def _name_shape(adjusted: Adjusted, turning: float, familywise: float) -> str:
    if adjusted.r is None or not familywise < LEVEL or not (adjusted.p or 1) < LEVEL:
        return ""
    if not MIDDLE <= turning <= 1 - MIDDLE:
        return "bent"
    return "U" if adjusted.r > 0 else "inverted U"
