"""A template-matching observer of digits, and the error consistency of two observers."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class TemplateObserver:
    """An observer that classifies a digit by the mean training image most similar to it.

    Attributes:
        templates: (classes, pixels), each centred and with unit norm.
    """

    templates: NDArray[np.float64]

    def classify(self, images: NDArray[np.floating]) -> NDArray[np.int64]:
        """Return the class (n,) whose template has the highest correlation with each of (n, ...) images."""
        classes: NDArray[np.int64] = np.argmax(_standardise(images) @ self.templates.T, axis=1)
        return classes


def fit_template_observer(images: NDArray[np.floating], labels: NDArray[np.int64]) -> TemplateObserver:
    """Return an observer fitted to (n, ...) images; every class from 0 to the largest must be among the labels."""
    means = np.stack([images[labels == label].mean(axis=0) for label in range(labels.max() + 1)])
    return TemplateObserver(_standardise(means))


def error_consistency(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Return Cohen's kappa of two observers' correct and incorrect answers, -1 to 1.

    0 means that they agree as often as two independent observers with their accuracies. 1 means that they err on
    the same images. The result is NaN if both are always right or both are always wrong.

    Reference: Geirhos, Meding and Wichmann 2020, error consistency.
    """
    p, q = one.mean(), other.mean()
    expected = p * q + (1 - p) * (1 - q)
    if expected == 1:
        return float("nan")
    return float(((one == other).mean() - expected) / (1 - expected))


def _standardise(images: NDArray[np.floating]) -> NDArray[np.float64]:
    flat: NDArray[np.float64] = images.reshape(len(images), -1).astype(np.float64)
    flat -= flat.mean(axis=1, keepdims=True)
    # The division must not turn a blank image, which has norm 0, into NaN.
    flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), np.finfo(np.float64).tiny)
    return flat
