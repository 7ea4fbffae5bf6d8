"""The table of correlations that the report's claims rest on: every score, with and without clean accuracy.

`family_correlation` computes each correlation. This module prepares its input: a network that is listed under
several names counts once, and sampling error comes from verdicts per image where the study has them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields

import numpy as np
import pandas as pd

from aggregate.scores.scores import ScoreColumn, Scores
from aggregate.statistics.arrays import Bits, Floats
from aggregate.statistics.family_correlation import Adjusted, Measured, correlate, familywise_p
from aggregate.statistics.image_error import ImageError, bound_image_error, estimate_image_error
from aggregate.statistics.networks import Networks

LEVEL = 0.05
"""Chance that the report claims any relation under one attack if no score is related given clean accuracy."""
AGGREGATES = frozenset({"average", "category", "recomputed"})
GIVEN_CLEAN = "clean accuracy"


@dataclass(frozen=True)
class Row:
    """One score under one attack at one budget; the fields of `Adjusted` follow in the table.

    Attributes:
        given: What the correlation is adjusted for: empty or "clean accuracy".
        p_familywise: p value adjusted for all scores of one kind (aggregates or benchmarks) at one budget.
        sampling: Origin of the sampling error: "verdicts", "counts" (an upper bound) or "unknown" (not corrected).
    """

    attack: str
    norm: str
    eps: str
    eps_value: float
    score: str
    level: str
    category: str
    given: str
    sampling: str


COLUMNS = [
    *(field.name for field in fields(Row)),
    *(field.name for field in fields(Adjusted) if field.name != "note"),
    "p_familywise",
    "note",
]
NUMBERS = ["effective_models", "r", "low", "high", "p", "p_familywise"]


def adjusted_correlations(
    table: pd.DataFrame,
    scores: Scores | None,
    networks: Networks,
    robust: Mapping[tuple[str, str, str], Bits],
) -> pd.DataFrame:
    """Return one row per attack, budget, score and adjustment.

    Args:
        table: Columns model, attack, norm, eps, eps_value, images, robust_accuracy and clean_accuracy.
        scores: The scores; None gives an empty table.
        networks: Facts about the models.
        robust: Packed bits of the robust images, by model, attack and eps.
    """
    rows: list[dict[str, object]] = []
    budgets = table[table["robust_accuracy"].notna()].groupby(["attack", "norm", "eps", "eps_value"], sort=False)
    if scores is not None:
        for budget, part in budgets:
            rows.extend(_of_budget(budget, part, scores, networks, robust))
    return pd.DataFrame(rows, columns=COLUMNS).astype(dict.fromkeys(NUMBERS, "float64"))


def claims(adjusted: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that the report may call related given clean accuracy.

    The level is divided between aggregates and benchmarks. A claim needs a family-wise p value below its share,
    and an interval that excludes 0.
    """
    given = adjusted[(adjusted["given"] == GIVEN_CLEAN) & adjusted["p_familywise"].notna()]
    return given[(given["p_familywise"] < LEVEL / 2) & (given["p"] < LEVEL)]


def _of_budget(
    budget: tuple[str, str, str, float],
    part: pd.DataFrame,
    scores: Scores,
    networks: Networks,
    robust: Mapping[tuple[str, str, str], Bits],
) -> Iterator[dict[str, object]]:
    measured, names, sampling = measure(budget, part, networks, robust)
    for given in ("", GIVEN_CLEAN):
        question = measured if given else Measured(measured.robust, measured.families, error=measured.error)
        found = [(column, *correlate(_values(column, names, scores), question)) for column in scores.columns]
        p = _familywise(found)
        for (column, adjusted, _), familywise in zip(found, p, strict=True):
            row = Row(*budget, column.name, column.level, column.category, given, sampling)
            yield {**asdict(row), **asdict(adjusted), "p_familywise": familywise}


def _familywise(found: Sequence[tuple[ScoreColumn, Adjusted, Floats]]) -> Floats:
    p = np.full(len(found), np.nan)
    if not found:
        return p
    sums = np.stack([family_sums for _, _, family_sums in found], axis=1)
    aggregate = np.array([column.level in AGGREGATES for column, _, _ in found])
    benchmark = np.array([column.level == "benchmark" for column, _, _ in found])
    for kind in (aggregate, benchmark):
        if kind.any():
            p[kind] = familywise_p(sums[:, kind])
    return p


def measure(
    budget: tuple[str, str, str, float],
    part: pd.DataFrame,
    networks: Networks,
    robust: Mapping[tuple[str, str, str], Bits],
) -> tuple[Measured, list[list[str]], str]:
    """Prepare the input of `family_correlation` for one budget.

    Args:
        budget: Attack, norm, eps and value of eps.
        part: The table's rows of this budget.
        networks: Facts about the models.
        robust: Packed bits of the robust images, by model, attack and eps.

    Returns:
        The accuracies of each network, the names under which it is listed, and the origin of the sampling error.
    """
    attack, _, eps, _ = budget
    network = part["model"].map(lambda name: networks.network.get(name, name))
    names = [list(group) for _, group in part["model"].groupby(network, sort=False)]
    first = part.set_index("model").loc[[group[0] for group in names]]
    kinds = [networks.family.get(group[0], "") or group[0] for group in names]
    families = np.unique(kinds, return_inverse=True)[1].astype(np.int64)
    y, clean = (first[name].to_numpy(dtype=np.float64) for name in ("robust_accuracy", "clean_accuracy"))
    images = first["images"].to_numpy(dtype=np.float64)
    bits = [(networks.clean.get(group[0]), robust.get((group[0], attack, eps))) for group in names]
    error, sampling = _estimate_error(clean, y, images, bits)
    return Measured(y, families, clean, error), names, sampling


def _estimate_error(
    clean: Floats, robust: Floats, images: Floats, bits: Sequence[tuple[Bits | None, Bits | None]]
) -> tuple[ImageError | None, str]:
    """Return the sampling error of the accuracies and its origin: "verdicts", "counts" or "unknown".

    Args:
        clean: Clean accuracy of each network, shape (n,).
        robust: Robust accuracy of each network, shape (n,).
        images: Number of images of each network, shape (n,); NaN where unknown.
        bits: Packed bits of the correct and of the robust images of each network; None where unknown.
    """
    if not (np.isfinite(images).all() and (images > 1).all()):
        return None, "unknown"
    known = [(a, b) for a, b in bits if a is not None and b is not None]
    if len(set(images)) > 1 or len(known) < max(2, len(bits)):
        return bound_image_error(np.nan_to_num(clean), robust, images), "counts"
    count = int(images[0])
    correct, survived = (
        np.stack([np.unpackbits(packed, count=count) for packed in column]).astype(bool)
        for column in zip(*known, strict=True)
    )
    return estimate_image_error(correct, survived), "verdicts"


def _values(column: ScoreColumn, names: Sequence[Sequence[str]], scores: Scores) -> Floats:
    """Return the score of each network: the mean over its names that have one, else NaN."""
    found = []
    for group in names:
        values = [scores.rows[name][column.name] for name in group if column.name in scores.rows.get(name, {})]
        found.append(float(np.mean(values)) if values else np.nan)
    return np.array(found)
