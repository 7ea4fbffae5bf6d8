"""A simple observer of digits, and whether another errs on the same images as it does."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class TemplateObserver:
    """Names a digit after the mean training image nearest to it.

    Attributes:
        templates: (classes, pixels), each centred and of unit norm.
    """

    templates: NDArray[np.float64]

    def choose(self, images: NDArray[np.floating]) -> NDArray[np.int64]:
        """Return the class, (n,), whose template correlates best with each of (n, ...) images."""
        choices: NDArray[np.int64] = np.argmax(_standardised(images) @ self.templates.T, axis=1)
        return choices


def template_observer(images: NDArray[np.floating], labels: NDArray[np.int64]) -> TemplateObserver:
    """Return the observer that has seen these (n, ...) images; every class from 0 up must be among the labels."""
    means = np.stack([images[labels == label].mean(axis=0) for label in range(labels.max() + 1)])
    return TemplateObserver(_standardised(means))


def error_consistency(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Return Cohen's kappa of two observers' right and wrong answers, -1 to 1 (Geirhos et al. 2020).

    0: they err together as often as two independent observers of their accuracies would; 1: on the same images.
    NaN where both are always right or always wrong, as nothing could be told.
    """
    p, q = one.mean(), other.mean()
    expected = p * q + (1 - p) * (1 - q)
    if expected == 1:
        return float("nan")
    return float(((one == other).mean() - expected) / (1 - expected))


def _standardised(images: NDArray[np.floating]) -> NDArray[np.float64]:
    flat: NDArray[np.float64] = images.reshape(len(images), -1).astype(np.float64)
    flat -= flat.mean(axis=1, keepdims=True)
    # A blank image correlates with nothing; its zeros must not become NaN.
    flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), np.finfo(np.float64).tiny)
    return flat
