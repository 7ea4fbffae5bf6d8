"""Resampling of images: simulated accuracies on new samples of images, and their ranks."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from aggregate.statistics import bootstrap
from aggregate.statistics.arrays import Floats

RESAMPLES = 1000
SEED = 20250218


@dataclass(frozen=True)
class ModelResamples:
    """Resamples of models and of their images. All arrays have the shape (RESAMPLES, n)."""

    models: npt.NDArray[np.int64]
    """Index of each drawn model."""
    robust: Floats
    """Resampled robust accuracy of each drawn model."""
    ranks: Floats
    """Centred ranks of `robust` within each resample."""
    clean_ranks: Floats | None
    """Centred ranks of clean accuracy within each resample; None if it cannot be resampled."""


@dataclass(frozen=True)
class ImageResamples:
    """Resamples at one budget, shared by all scores. Arrays have the shape (RESAMPLES, n); ranks are centred."""

    robust: Floats
    """Resampled robust accuracy."""
    ranks: Floats
    both: ModelResamples | None
    """Resamples of models too; None with too few models."""
    clean_ranks: Floats | None
    """Ranks of clean accuracy on the same resampled images; None if it cannot be resampled."""


def resample_images(robust_bytes: bytes, clean_bytes: bytes, images_bytes: bytes) -> ImageResamples:
    """Resample the images of every model.

    The arguments are the bytes of arrays of shape (n,), so that a cache recognises two scores of the same models.

    Args:
        robust_bytes: Robust accuracies, float64.
        clean_bytes: Clean accuracies, float64.
        images_bytes: Numbers of images, int64.
    """
    robust, clean = np.frombuffer(robust_bytes), np.frombuffer(clean_bytes)
    images, n = np.frombuffer(images_bytes, dtype=np.int64), len(robust)
    rng = np.random.default_rng([SEED, n])
    drawn = rng.binomial(images, robust.clip(0, 1), size=(RESAMPLES, n))
    y = drawn / images
    models = rng.integers(n, size=y.shape)
    broken = clean - robust
    clean_drawn = None
    # Under a corruption, an image can be wrong when clean and right when corrupted. Then the robust images are not
    # a subset of the images that are right when clean, and the two counts cannot be resampled together.
    if np.isfinite(clean).all() and (broken >= -1e-9).all():
        broken_share = np.divide(broken, 1 - robust, out=np.zeros(n), where=robust < 1).clip(0, 1)
        clean_drawn = (drawn + rng.binomial(images - drawn, broken_share)) / images
    both = None
    if n >= bootstrap.MIN_MODELS:
        ys = np.take_along_axis(y, models, axis=1)
        cs = None if clean_drawn is None else np.take_along_axis(clean_drawn, models, axis=1)
        both = ModelResamples(models, ys, centre_ranks(ys), None if cs is None else centre_ranks(cs))
    return ImageResamples(y, centre_ranks(y), both, None if clean_drawn is None else centre_ranks(clean_drawn))


def centre_ranks(values: Floats) -> Floats:
    """Return ranks within each row minus their mean, with average ranks for ties.

    Average ranks are multiples of one half. They and sums of their products are therefore exact in float64, in any
    order of addition.
    """
    ranks: Floats = stats.rankdata(values, axis=1) - (values.shape[1] + 1) / 2
    return ranks


def rank_drawn(values: Floats, models: npt.NDArray[np.int64]) -> Floats:
    """Return `centre_ranks(values[models])`, computed from counts: the n values are sorted once for all rows.

    Args:
        values: One value per model, shape (n,).
        models: Indices of the drawn models, shape (resamples, n).
    """
    distinct, place = np.unique(values, return_inverse=True)
    places = place[models]
    rows = np.arange(len(models))[:, None] * len(distinct)
    counts = np.bincount((rows + places).ravel(), minlength=len(models) * len(distinct)).reshape(len(models), -1)
    rank_of_value = np.cumsum(counts, axis=1) - (counts - 1) / 2 - (models.shape[1] + 1) / 2
    ranks: Floats = np.take_along_axis(rank_of_value, places, axis=1)
    return ranks
