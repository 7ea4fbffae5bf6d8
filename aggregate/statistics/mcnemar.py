"""McNemar's test: pairwise comparison of the robustness of models on the same images.

The test looks at the images on which exactly one of two models is robust. If the models are equally robust, each
of them is the robust one on half of these images. p is that of the exact binomial test.

Of an audited model, some images that count as robust were not searched in full. p is then an upper bound: the
largest p over all numbers of broken ones that the audit does not exclude, plus the error level of that exclusion.

Reference: McNemar 1947, Psychometrika 12, 153-157; Berger & Boos 1994, JASA 89, 1012-1016 (the bound).
"""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from aggregate.statistics import multiple_testing
from aggregate.statistics.arrays import Bits, Floats
from aggregate.statistics.audited import bound_broken
from alignsec.spec.audit import STRATA

MAX_MODELS = 300
"""Largest number of compared models. Pairs grow with the square: 300 models give about 45,000 of them."""
AUDITED_NOTE = "upper bound of p: images that an audit left out may be broken"
"""Note on a pair of which at least one model was not searched in full on every survivor of the screen."""
BOUND_ERROR = 0.001
"""Probability that more images are broken than a bound allows, over both models; added to p."""
COLUMNS = [
    "attack", "norm", "eps", "eps_value", "model_a", "model_b", "images", "only_a", "only_b", "p", "q", "note",
]  # fmt: skip


def compute_p(only_a: npt.ArrayLike, only_b: npt.ArrayLike) -> Floats:
    """Return the exact two-sided p value of each pair of models.

    Args:
        only_a: Number of images on which only the first model is robust.
        only_b: Number of images on which only the second model is robust, of the same shape.
    """
    a, b = np.asarray(only_a), np.asarray(only_b)
    p: Floats = np.minimum(1.0, 2 * stats.binom.cdf(np.minimum(a, b), a + b, 0.5))
    return p


def bound_p(
    only_a: npt.ArrayLike, only_b: npt.ArrayLike, unknown_a: npt.ArrayLike, unknown_b: npt.ArrayLike
) -> Floats:
    """Return p of each pair of models, or an upper bound of it for audited models.

    Broken images of the model that seems more robust reduce the difference. p is largest if they are all among the
    images on which both models seem robust: they then add to the images on which only the other one is robust.

    Args:
        only_a: Number of images on which only the first model seems robust.
        only_b: Number of images on which only the second model seems robust.
        unknown_a: Largest number of images of the first model that seem robust and are broken; 0 without an audit.
        unknown_b: The same for the second model.
    """
    a, b, more_a, more_b = map(np.asarray, (only_a, only_b, unknown_a, unknown_b))
    p = compute_p(np.where(b > a, np.minimum(a + more_b, b), a), np.where(a >= b, np.minimum(b + more_a, a), b))
    bounded: Floats = np.minimum(1.0, p + BOUND_ERROR * ((more_a > 0) | (more_b > 0)))
    return bounded


def bound_unsearched(row: Any) -> int:  # noqa: ANN401 - a row of itertuples
    """Return the largest number of broken images among those that an audit left out; 0 without an audit.

    The hypergeometric bound of each stratum has the fourth part of BOUND_ERROR: two strata of two models.
    """
    if pd.isna(getattr(row, "near_survivors", None)):
        return 0
    total = 0
    for stratum in STRATA:
        survivors, audited, broken = (
            int(getattr(row, f"{stratum}_{name}")) for name in ("survivors", "audited", "broken")
        )
        # Half of the error of an interval is at its upper end.
        total += bound_broken(survivors, audited, broken, BOUND_ERROR / 2)[1] - broken
    return total


def compare_models(table: pd.DataFrame, robust: Mapping[tuple[str, str, str], Bits]) -> pd.DataFrame:
    """Return one row per attack, budget and pair of models; the more robust model comes first.

    Args:
        table: Columns model, attack, norm, eps, eps_value, images and robust.
        robust: Packed bits of the robust images in pack order, by model, attack and eps as text.

    Returns:
        The columns COLUMNS. q is p corrected within attack and budget. With more than 300 models, only the 300
        most robust are compared.
    """
    budgets = table.groupby(["attack", "eps"], sort=False)
    frame = pd.DataFrame([row for _, part in budgets for row in _compare_at_budget(part, robust)], columns=COLUMNS)
    frame = frame.astype({"p": "float64", "images": "int64"})
    frame["q"] = multiple_testing.adjust_p(frame, "p", ["attack", "eps"])
    return frame


def _compare_at_budget(
    part: pd.DataFrame, robust: Mapping[tuple[str, str, str], Bits]
) -> Iterator[dict[str, object]]:
    rows = part.sort_values(["robust", "model"], ascending=[False, True]).head(MAX_MODELS)
    known = [row for row in rows.itertuples() if (row.model, row.attack, row.eps) in robust and row.images]
    return _compare_rows(known, robust)


def _compare_rows(rows: list[Any], robust: Mapping[tuple[str, str, str], Bits]) -> Iterator[dict[str, object]]:
    """Compare each pair of models with the same number of images."""
    for images, group in itertools.groupby(sorted(rows, key=lambda row: row.images), key=lambda row: row.images):
        models = list(group)
        unknown = np.array([bound_unsearched(row) for row in models])
        bits = np.array([np.unpackbits(robust[row.model, row.attack, row.eps])[:images] for row in models])
        counts = bits.astype(np.float32)
        both = np.rint(counts @ counts.T).astype(np.int64)
        only = bits.sum(axis=1, dtype=np.int64)[:, None] - both
        first, second = np.triu_indices(len(models), k=1)
        p_values = bound_p(only[first, second], only[second, first], unknown[first], unknown[second])
        for a, b, p in zip(first, second, p_values, strict=True):
            row = models[a]
            note = AUDITED_NOTE if unknown[a] or unknown[b] else ""
            yield {
                "attack": row.attack, "norm": row.norm, "eps": row.eps, "eps_value": row.eps_value,
                "model_a": row.model, "model_b": models[b].model, "images": images,
                "only_a": int(only[a, b]), "only_b": int(only[b, a]), "p": p, "note": note,
            }  # fmt: skip
