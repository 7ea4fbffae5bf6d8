"""Sampling error of accuracies that were counted on the same images for every model.

An accuracy counted on m images differs from the model's accuracy on all such images. Part of that error is shared:
a sample of easy images raises every model. A shared shift cancels in a comparison of models, so only the rest
matters for correlations. The rest is the residual of the two-way table of models and images.

Reference: Hoyt 1941, Psychometrika 6, 153-160 (reliability from an analysis of variance); Fuller 1987, Measurement
Error Models, section 2.2 (error covariance of observed means).
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from aggregate.statistics.arrays import Floats

Verdicts = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class ImageError:
    """Error covariance of each model's measured clean and robust accuracy, without the shared part.

    Attributes:
        clean: Variance of clean accuracy, shape (models,).
        both: Covariance of clean and robust accuracy, shape (models,).
        robust: Variance of robust accuracy, shape (models,).
    """

    clean: Floats
    both: Floats
    robust: Floats

    def take(self, rows: npt.NDArray[np.bool_]) -> Self:
        """Return the error covariance of a subset of the models."""
        return type(self)(self.clean[rows], self.both[rows], self.robust[rows])

    def with_exact_clean(self, exact: npt.NDArray[np.bool_]) -> Self:
        """Return the error covariance if the clean accuracy of some models has no error.

        Args:
            exact: Whether a model's clean accuracy has no error, shape (models,).
        """
        return type(self)(np.where(exact, 0.0, self.clean), np.where(exact, 0.0, self.both), self.robust)


def estimate_image_error(clean: Verdicts | Floats, robust: Verdicts | Floats) -> ImageError:
    """Estimate the error covariance from verdicts of all models on the same images.

    Args:
        clean: Whether each model classifies each clean image correctly, shape (models, images).
        robust: Whether the image stays correct under the attack, same shape; or the share of budgets at which it
            does, for a mean over budgets.

    Raises:
        ValueError: There are fewer than two models or two images, or the shapes differ.
    """
    models, images = clean.shape
    if robust.shape != clean.shape or models < 2 or images < 2:
        raise ValueError(f"expected two equal shapes of at least 2 x 2, got {clean.shape} and {robust.shape}")
    of_clean, of_robust = _residuals(clean), _residuals(robust)
    # Residuals have (models - 1)(images - 1) degrees of freedom, and a mean of m images has 1/m of the variance.
    scale = models / (models - 1) / (images - 1) / images
    return ImageError(
        clean=scale * (of_clean * of_clean).sum(axis=1),
        both=scale * (of_clean * of_robust).sum(axis=1),
        robust=scale * (of_robust * of_robust).sum(axis=1),
    )


def bound_image_error(clean: Floats, robust: Floats, images: Floats) -> ImageError:
    """Return the binomial error covariance, for accuracies without verdicts per image.

    It includes the part that all models share, so it is an upper bound for models that saw the same images. Robust
    images are a subset of the clean-correct ones, hence the covariance robust (1 - clean) / (images - 1).

    Args:
        clean: Clean accuracies in [0,1], shape (models,).
        robust: Robust accuracies in [0,1], shape (models,).
        images: Numbers of images, at least 2, shape (models,).
    """
    degrees = images - 1
    return ImageError(
        clean=clean * (1 - clean) / degrees,
        both=np.minimum(robust, clean) * (1 - clean) / degrees,
        robust=robust * (1 - robust) / degrees,
    )


def sampling_share(verdicts: Verdicts) -> float | None:
    """Return the share of the variance between models that comes from the sample of images.

    The share is MS(residual) / MS(models) of the two-way table; 1 - share is the reliability (Hoyt 1941). The
    correlation of a score with measured accuracies is about sqrt(1 - share) times that with the true accuracies.

    Args:
        verdicts: Whether each model is right on each image, shape (models, images).

    Returns:
        A share in [0,1]; None if the accuracies of all models are equal.
    """
    models, images = verdicts.shape
    accuracy = verdicts.mean(axis=1)
    between = images * float(((accuracy - accuracy.mean()) ** 2).sum()) / (models - 1)
    if between <= 1e-12:
        return None
    residual = float(np.square(_residuals(verdicts)).sum()) / ((models - 1) * (images - 1))
    return float(min(1.0, residual / between))


def _residuals(verdicts: Verdicts | Floats) -> Floats:
    """Return verdicts minus model means and image means plus the grand mean."""
    values = verdicts.astype(np.float64)
    residuals: Floats = (
        values - values.mean(axis=1, keepdims=True) - values.mean(axis=0, keepdims=True) + values.mean()
    )
    return residuals
