"""Checks of the pixels of an adversarial example. They share no code with the judge of the attacks."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alignsec.images.packing import Floats
from alignsec.spec.components import Norm

ROUNDING = 2.0**-23
"""Largest rounding error of a pixel when x + eps and its difference from x are computed in float32."""


def explain_pixels(clean: Floats, example: NDArray[Any], norm: Norm, eps: float) -> str:
    """Return why an image is not within a budget, in a few words; empty if it is.

    Args:
        clean: Clean image, float32, C x H x W, in [0,1].
        example: Adversarial image.
        norm: Norm of the budget.
        eps: The budget, in pixels of [0,1].
    """
    if example.shape != clean.shape:
        return f"has the shape {describe_shape(example)}, expected {describe_shape(clean)}"
    if not np.isfinite(example).all():
        return "has values that are not finite"
    if example.min() < 0 or example.max() > 1:
        return f"has values outside [0,1], from {example.min():.6g} to {example.max():.6g}"
    if (distance := measure_distance(clean, example, norm)) > eps + _allow_rounding(example.size, norm):
        return f"is at distance {distance:.8g} in {norm}, outside the budget {eps:.8g}"
    return ""


def measure_distance(clean: Floats, example: Floats, norm: Norm) -> float:
    """Return the distance of two images in float64."""
    difference = np.abs(example.astype(np.float64) - clean.astype(np.float64))
    if norm == "Linf":
        return float(difference.max())
    return float(difference.sum()) if norm == "L1" else math.sqrt(float(np.square(difference).sum()))


def _allow_rounding(values: int, norm: Norm) -> float:
    return ROUNDING * {"Linf": 1.0, "L2": math.sqrt(values), "L1": float(values)}[norm]


def describe_shape(array: NDArray[Any]) -> str:
    """Return the shape of an array as text."""
    return " x ".join(map(str, array.shape)) or "of a number"
