"""Rankings: rank intervals of models, probability of being most robust, and smallest detectable difference.

All models see the same images, so models are compared by the differences of their verdicts on each image. The 95 %
interval of a model's rank counts the models that are significantly more and less robust than it. The critical
value of these comparisons is the 95 % quantile of the largest studentised difference from the model over bootstrap
samples of the images. The interval therefore covers the true rank also under ties, unlike percentiles of resampled
ranks. Half an image is added to each side of a comparison, because a few discordant images are not normal.

Reference: Mogstad, Romano, Shaikh & Wilhelm 2024, Review of Economic Studies 91, 476-518.
"""

from collections.abc import Iterator, Mapping
from statistics import NormalDist

import numpy as np
import pandas as pd

from aggregate.statistics.arrays import Bits, Floats
from aggregate.statistics.budget_networks import BUDGET

MOST_RESAMPLES, LEAST_RESAMPLES = 1000, 200
SEED = 20250219
COLUMNS = [
    *BUDGET, "model", "n", "images", "robust_accuracy", "rank", "tied", "rank_low", "rank_high", "most_robust",
    "smallest_difference", "note",
]  # fmt: skip
NUMBERS = ["robust_accuracy", "most_robust", "smallest_difference"]
COUNTS = ["images", "rank_low", "rank_high"]
_CHUNK = 100
"""Number of resamples that are drawn together."""


def rank_models(table: pd.DataFrame, robust: Mapping[tuple[str, str, str], Bits]) -> pd.DataFrame:
    """Return one row per attack, budget and model, most robust first.

    Args:
        table: Columns model, attack, norm, eps, eps_value, images and robust_accuracy; robust_error for audited
            attacks.
        robust: Packed bits of the robust images, by model, attack and eps.

    Returns:
        The columns COLUMNS. `rank` is 1 + the number of models with a higher accuracy, and `tied` the number of
        other models with the same one. `most_robust` is the share of resamples in which the model has the highest
        accuracy; ties share it. `smallest_difference` is the true difference in robust accuracy from another model
        that a paired two-sided test at 5 % shows with 80 % power, as the median over the other models.
    """
    rows: list[dict[str, object]] = []
    for budget, part in table[table["robust_accuracy"].notna()].groupby(BUDGET, sort=False):
        rows.extend(_rank_at_budget(budget, part, robust))
    return pd.DataFrame(rows, columns=COLUMNS).astype(
        dict.fromkeys(NUMBERS, "float64") | dict.fromkeys(COUNTS, "Int64")
    )


def _rank_at_budget(
    budget: tuple[str, str, str, float], part: pd.DataFrame, robust: Mapping[tuple[str, str, str], Bits]
) -> Iterator[dict[str, object]]:
    part = part.sort_values(["robust_accuracy", "model"], ascending=[False, True])
    accuracy = part["robust_accuracy"].to_numpy(dtype=np.float64)
    names, n = list(part["model"]), len(part)
    common = dict(zip(BUDGET, budget, strict=True)) | {"n": n}
    bits = [robust.get((name, budget[0], budget[2])) for name in names]
    images = part["images"]
    note = ""
    if n < 2:
        note = "at least 2 models are needed"
    elif images.isna().any() or images.nunique() > 1 or any(one is None for one in bits):
        note = "verdicts on the same images are not available for every model"
    found: dict[str, Floats] = {}
    if not note:
        count = int(images.iloc[0])
        verdicts = np.array([np.unpackbits(one, count=count) for one in bits if one is not None], np.float32)
        found = estimate_ranks(verdicts, accuracy, _unsearched_variance(part, accuracy, count))
    for at, name in enumerate(names):
        more, same = int((accuracy > accuracy[at] + 1e-12).sum()), np.abs(accuracy - accuracy[at]) <= 1e-12
        yield common | {
            "model": name, "images": images.iloc[at], "robust_accuracy": accuracy[at], "rank": 1 + more,
            "tied": int(same.sum()) - 1, "note": note, **{key: values[at] for key, values in found.items()},
        }  # fmt: skip


def _unsearched_variance(part: pd.DataFrame, accuracy: Floats, images: int) -> Floats:
    """Return the variance of each accuracy that comes from images that an audit did not search, shape (n,)."""
    if "robust_error" not in part:
        return np.zeros(len(part))
    error = part["robust_error"].to_numpy(dtype=np.float64)
    variance: Floats = np.maximum(np.nan_to_num(error**2 - accuracy * (1 - accuracy) / images), 0)
    return variance


def estimate_ranks(verdicts: np.ndarray, accuracy: Floats, unsearched: Floats) -> dict[str, Floats]:
    """Return the columns of `rank_models` that need verdicts per image, each of shape (models,).

    Args:
        verdicts: 1 where a model is robust on an image, float32, shape (models, images).
        accuracy: Robust accuracy of each model. For an audited attack it is an estimate, below the mean verdict.
        unsearched: Variance of the accuracy from images that were not searched; 0 without an audit.
    """
    models, images = verdicts.shape
    mean = verdicts.mean(axis=1, dtype=np.float64)
    # An audited accuracy is a share of that under the screen, and so are its deviations.
    values = verdicts * np.divide(accuracy, mean, out=np.ones(models), where=mean > 0)[:, None].astype(np.float32)
    covariance = np.atleast_2d(np.cov(values.astype(np.float64))) / images
    variance = np.diag(covariance) + unsearched
    error = variance[:, None] + variance - 2 * (covariance - np.diag(np.diag(covariance)))
    np.fill_diagonal(error, 0)
    error = np.sqrt(np.maximum(error, 0) + 1 / images**2)
    deviations = _resample_deviations(values, unsearched)
    drawn = deviations + accuracy.astype(np.float32)
    best = drawn >= drawn.max(axis=1, keepdims=True) - 1e-6
    low, high, smallest = np.ones(models), np.full(models, models), np.zeros(models)
    quantiles = NormalDist().inv_cdf(0.975) + NormalDist().inv_cdf(0.8)
    for at in range(models):
        largest = np.abs((deviations - deviations[:, [at]]) / error[at].astype(np.float32)).max(axis=1)
        margin = np.quantile(largest, 0.95) * error[at]
        low[at] += (accuracy - accuracy[at] > margin).sum()
        high[at] -= (accuracy[at] - accuracy > margin).sum()
        smallest[at] = quantiles * np.median(np.delete(error[at], at))
    return {
        "rank_low": low,
        "rank_high": high,
        "most_robust": (best / best.sum(axis=1, keepdims=True)).mean(axis=0),
        "smallest_difference": smallest,
    }


def _resample_deviations(values: np.ndarray, unsearched: Floats) -> np.ndarray:
    """Return resampled accuracies minus the accuracy of each model, float32, shape (resamples, models)."""
    models, images = values.shape
    resamples = max(LEAST_RESAMPLES, min(MOST_RESAMPLES, 300_000 // models))
    rng = np.random.default_rng([SEED, images])
    centred = (values - values.mean(axis=1, keepdims=True)).T / np.float32(images)
    parts = []
    for first in range(0, resamples, _CHUNK):
        size = min(_CHUNK, resamples - first)
        counts = [np.bincount(rng.integers(images, size=images), minlength=images) for _ in range(size)]
        parts.append(np.array(counts, dtype=np.float32) @ centred)
    deviations = np.concatenate(parts)
    if unsearched.any():
        deviations += (rng.normal(size=deviations.shape) * np.sqrt(unsearched)).astype(np.float32)
    return deviations
