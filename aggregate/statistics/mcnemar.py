"""McNemar's test: whether one model is more robust than another on the same images, or by chance.

Of the images on which exactly one of the two stays robust, either model holds about half if they are equally
robust: p is that of the exact binomial test. Source: McNemar 1947, Psychometrika 12, 153-157.
"""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from aggregate.statistics import multiple_testing
from aggregate.statistics.arrays import Bits

MAX_MODELS = 300
"""Models compared with each other: pairs grow with the square, and nobody reads more than 45,000 of them."""
COLUMNS = [
    "attack",
    "norm",
    "eps",
    "eps_value",
    "model_a",
    "model_b",
    "images",
    "only_a",
    "only_b",
    "p",
    "q",
    "note",
]


def compute_p(only_a: npt.ArrayLike, only_b: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """The exact two-sided p of each pair: images robust on one model alone, and on the other alone."""
    a, b = np.asarray(only_a), np.asarray(only_b)
    p: npt.NDArray[np.float64] = np.minimum(1.0, 2 * stats.binom.cdf(np.minimum(a, b), a + b, 0.5))
    return p


def compare_models(table: pd.DataFrame, robust: Mapping[tuple[str, str, str], Bits]) -> pd.DataFrame:
    """One row per attack, budget and two models, the more robust of the two first.

    robust: by model, attack and eps (as text), the packed bits of the images that stay robust, in the pack's
    order. Beyond 300 models only the most robust 300 are compared. q is p corrected within attack and budget.
    """
    budgets = table.groupby(["attack", "eps"], sort=False)
    found = pd.DataFrame([row for _, part in budgets for row in _of_budget(part, robust)], columns=COLUMNS)
    found = found.astype({"p": "float64", "images": "int64"})
    found["q"] = multiple_testing.adjust_p(found, "p", ["attack", "eps"])
    return found


def _of_budget(part: pd.DataFrame, robust: Mapping[tuple[str, str, str], Bits]) -> Iterator[dict[str, object]]:
    rows = part.sort_values(["robust", "model"], ascending=[False, True]).head(MAX_MODELS)
    known = [row for row in rows.itertuples() if (row.model, row.attack, row.eps) in robust and row.images]
    return _pairs(known, robust)


def _pairs(rows: list[Any], robust: Mapping[tuple[str, str, str], Bits]) -> Iterator[dict[str, object]]:
    for images, group in itertools.groupby(sorted(rows, key=lambda row: row.images), key=lambda row: row.images):
        same = list(group)
        bits = np.array([np.unpackbits(robust[row.model, row.attack, row.eps])[:images] for row in same])
        counts = bits.astype(np.float32)
        both = np.rint(counts @ counts.T).astype(np.int64)
        alone = bits.sum(axis=1, dtype=np.int64)[:, None] - both
        at_a, at_b = np.triu_indices(len(same), k=1)
        for a, b, p in zip(at_a, at_b, compute_p(alone[at_a, at_b], alone[at_b, at_a]), strict=True):
            row = same[a]
            yield {
                "attack": row.attack, "norm": row.norm, "eps": row.eps, "eps_value": row.eps_value,
                "model_a": row.model, "model_b": same[b].model, "images": images,
                "only_a": int(alone[a, b]), "only_b": int(alone[b, a]), "p": p, "note": "",
            }  # fmt: skip
