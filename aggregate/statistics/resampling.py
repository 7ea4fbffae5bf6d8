"""Redraws: models' images drawn anew, a thousand times, and ranks within each redraw."""

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
    """Redraws of models and of their images, arrays of shape (REDRAWS, n)."""

    models: npt.NDArray[np.int64]
    robust: Floats
    ranks: Floats


@dataclass(frozen=True)
class ImageResamples:
    """All that is redrawn at one budget, whatever the score; arrays of shape (REDRAWS, n), ranks centred."""

    robust: Floats
    """Accuracy."""
    ranks: Floats
    both: ModelResamples | None
    """None where there are too few models."""
    clean_ranks: Floats | None
    """Of clean accuracy, redrawn with the same images; None where that cannot be."""


def resample_images(robust_bytes: bytes, clean_bytes: bytes, images_bytes: bytes) -> ImageResamples:
    """The redraws of models of these robust and clean accuracies (float64) and numbers of images (int64).

    Each of shape (n,) and given as its bytes, so that a cache can tell whether two scores have the same models.
    """
    robust, clean = np.frombuffer(robust_bytes), np.frombuffer(clean_bytes)
    images, n = np.frombuffer(images_bytes, dtype=np.int64), len(robust)
    rng = np.random.default_rng([SEED, n])
    drawn = rng.binomial(images, robust.clip(0, 1), size=(RESAMPLES, n))
    y = drawn / images
    both = None
    if n >= bootstrap.MIN_MODELS:
        models = rng.integers(n, size=y.shape)
        ys = np.take_along_axis(y, models, axis=1)
        both = ModelResamples(models, ys, centre_ranks(ys))
    broken = clean - robust
    clean_ranks = None
    # Under a corruption images may be mended, so that robust ones are no part of the clean ones.
    if np.isfinite(clean).all() and (broken >= -1e-9).all():
        of_rest = np.divide(broken, 1 - robust, out=np.zeros(n), where=robust < 1).clip(0, 1)
        clean_ranks = centre_ranks((drawn + rng.binomial(images - drawn, of_rest)) / images)
    return ImageResamples(y, centre_ranks(y), both, clean_ranks)


def centre_ranks(values: Floats) -> Floats:
    """Ranks within each row, less their mean. Average ranks are halves, so these and sums of their products are
    exact in float64, in whatever order they are added."""
    found: Floats = stats.rankdata(values, axis=1) - (values.shape[1] + 1) / 2
    return found


def rank_drawn(values: Floats, models: npt.NDArray[np.int64]) -> Floats:
    """What `ranks` gives of `values[models]`, by counting: the values are n, and sorted once for all rows."""
    distinct, place = np.unique(values, return_inverse=True)
    places = place[models]
    rows = np.arange(len(models))[:, None] * len(distinct)
    times = np.bincount((rows + places).ravel(), minlength=len(models) * len(distinct)).reshape(len(models), -1)
    by_value = np.cumsum(times, axis=1) - (times - 1) / 2 - (models.shape[1] + 1) / 2
    found: Floats = np.take_along_axis(by_value, places, axis=1)
    return found
