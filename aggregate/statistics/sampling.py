"""Sampling: how much of the difference between models is due to the few images they were tried on."""

import pandas as pd

COLUMNS = [
    "attack", "norm", "eps", "eps_value", "n", "images", "variance", "sampling_variance", "share", "largest_r",
    "note",
]  # fmt: skip


def estimate_sampling(table: pd.DataFrame) -> pd.DataFrame:
    """One row per attack and budget: the variance of robust accuracy over models, and what chance adds to it.

    A share p counted on m images has the variance p(1 - p)/m around the model's own; (k/m)(1 - k/m)/(m - 1) is
    its unbiased estimate from a count k. `share` is the mean of those over models as a share of the variance
    over models, and no correlation with the counted accuracies can be expected above `largest_r`, the root of
    what is left (attenuation: Spearman 1904, Am. J. Psychol. 15, 72-101). Images are drawn once for all models,
    which makes their errors alike and the true share, if anything, smaller.
    """
    rows = [_of_budget(part) for _, part in table.groupby(["attack", "norm", "eps", "eps_value"], sort=False)]
    found = pd.DataFrame(rows, columns=COLUMNS)
    return found.astype(dict.fromkeys(["variance", "sampling_variance", "share", "largest_r"], "float64"))


def _of_budget(part: pd.DataFrame) -> dict[str, object]:
    first = part.iloc[0]
    row: dict[str, object] = dict.fromkeys(COLUMNS)
    row |= {name: first[name] for name in ("attack", "norm", "eps", "eps_value")}
    known = part[part["images"].notna()]
    part = known[known["images"] > 1]
    n = len(part)
    row |= {"n": n, "note": "", "images": int(part["images"].median()) if n else 0}
    if known.empty:
        return row | {"note": "on how many images accuracies were counted is not known"}
    if n < 2:
        return row | {"note": "at least 2 models are needed"}
    share = part["robust_accuracy"].astype("float64")
    chance = float((share * (1 - share) / (part["images"] - 1)).mean())
    over_models = float(share.var(ddof=1))
    row |= {"variance": over_models, "sampling_variance": chance}
    if over_models <= 1e-12:
        return row | {"note": f"robust accuracy is the same for all {n} models"}
    of_chance = min(1.0, chance / over_models)
    return row | {"share": of_chance, "largest_r": (1 - of_chance) ** 0.5}
