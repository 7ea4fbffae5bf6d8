"""Sampling: the part of the variance between models that is due to the number of images."""

import pandas as pd

COLUMNS = [
    "attack", "norm", "eps", "eps_value", "n", "images", "variance", "sampling_variance", "share", "largest_r",
    "note",
]  # fmt: skip


def estimate_sampling(table: pd.DataFrame) -> pd.DataFrame:
    """Return the variance of robust accuracy over models and the part of it that sampling of images adds.

    A share p counted on m images has the variance p(1 - p)/m around the model's true value. Its unbiased estimate
    from a count k is (k/m)(1 - k/m)/(m - 1). `share` is the mean of these estimates over models, as a share of the
    variance over models. `largest_r` is the square root of the rest: no correlation with the counted accuracies
    is expected above it (attenuation). All models share one sample of images, so their errors are alike and the
    true share is smaller, if anything.

    Args:
        table: Columns attack, norm, eps, eps_value, images and robust_accuracy.

    Returns:
        One row per attack and budget, with the columns COLUMNS.

    Reference:
        Spearman 1904, Am. J. Psychol. 15, 72-101.
    """
    rows = [
        _estimate_at_budget(part) for _, part in table.groupby(["attack", "norm", "eps", "eps_value"], sort=False)
    ]
    frame = pd.DataFrame(rows, columns=COLUMNS)
    return frame.astype(dict.fromkeys(["variance", "sampling_variance", "share", "largest_r"], "float64"))


def _estimate_at_budget(part: pd.DataFrame) -> dict[str, object]:
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
    accuracy = part["robust_accuracy"].astype("float64")
    sampling_variance = float((accuracy * (1 - accuracy) / (part["images"] - 1)).mean())
    variance = float(accuracy.var(ddof=1))
    row |= {"variance": variance, "sampling_variance": sampling_variance}
    if variance <= 1e-12:
        return row | {"note": f"robust accuracy is the same for all {n} models"}
    share = min(1.0, sampling_variance / variance)
    return row | {"share": share, "largest_r": (1 - share) ** 0.5}
