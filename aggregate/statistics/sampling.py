"""Sampling: the part of the variance between models that is due to the sample of images."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from aggregate.statistics.arrays import Bits
from aggregate.statistics.image_error import sampling_share

COLUMNS = [
    "attack", "norm", "eps", "eps_value", "n", "images", "variance", "sampling_variance", "share", "largest_r",
    "note",
]  # fmt: skip
NUMBERS = ["variance", "sampling_variance", "share", "largest_r"]


def estimate_sampling(
    table: pd.DataFrame, robust: Mapping[tuple[str, str, str], Bits] | None = None
) -> pd.DataFrame:
    """Return the variance of robust accuracy over models and the part of it that sampling of images adds.

    All models see the same images. A sample of easy images raises every model and cancels in comparisons, so the
    part that matters is the residual of the two-way table of models and images (see `image_error.sampling_share`).
    Without verdicts on the same images for every model, `share` is empty: the binomial variance
    p(1 - p)/(m - 1) includes the shared part and is too large.

    A score that equals the true robust accuracy has an expected correlation of about `largest_r` = sqrt(1 - share)
    with the measured one. A single study can exceed it.

    Args:
        table: Columns model, attack, norm, eps, eps_value, images and robust_accuracy.
        robust: Packed bits of the robust images, by model, attack and eps.

    Returns:
        One row per attack and budget, with the columns COLUMNS.

    Reference:
        Hoyt 1941, Psychometrika 6, 153-160; Spearman 1904, Am. J. Psychol. 15, 72-101 (attenuation).
    """
    budgets = table.groupby(["attack", "norm", "eps", "eps_value"], sort=False)
    frame = pd.DataFrame([_estimate_at_budget(part, robust or {}) for _, part in budgets], columns=COLUMNS)
    return frame.astype(dict.fromkeys(NUMBERS, "float64"))


def _estimate_at_budget(part: pd.DataFrame, robust: Mapping[tuple[str, str, str], Bits]) -> dict[str, object]:
    first = part.iloc[0]
    row: dict[str, object] = dict.fromkeys(COLUMNS)
    row |= {name: first[name] for name in ("attack", "norm", "eps", "eps_value")}
    known = part[part["images"].notna()]
    part = known[known["images"] > 1]
    n = len(part)
    row |= {"n": n, "note": "", "images": int(part["images"].median()) if n else 0}
    if known.empty:
        return row | {"note": "the number of images is unknown"}
    if n < 2:
        return row | {"note": "at least 2 models are needed"}
    variance = float(part["robust_accuracy"].astype("float64").var(ddof=1))
    row["variance"] = variance
    if variance <= 1e-12:
        return row | {"note": f"robust accuracy is the same for all {n} models"}
    bits = [robust.get((model, first["attack"], first["eps"])) for model in part["model"]]
    if part["images"].nunique() > 1 or any(one is None for one in bits):
        return row | {"note": "verdicts on the same images are not available for every model"}
    count = int(part["images"].iloc[0])
    share = sampling_share(
        np.array([np.unpackbits(one, count=count) for one in bits if one is not None], dtype=bool)
    )
    if share is None:
        return row
    return row | {"sampling_variance": share * variance, "share": share, "largest_r": (1 - share) ** 0.5}
