"""Distortions that make digits hard to read, each at three strengths. All randomness comes from a seed."""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

Distortion = Callable[[Tensor, float, int], Tensor]
"""(images (n, 1, side, side) in [0, 1], strength, seed) -> images of the same shape in [0, 1]."""


def add_noise(images: Tensor, strength: float, seed: int) -> Tensor:
    """Add normal noise with standard deviation `strength` to each pixel, and clip to [0, 1]."""
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(seed))
    return (images + strength * noise).clamp(0, 1)


def blur(images: Tensor, strength: float, seed: int) -> Tensor:  # the seed is unused
    """Blur with a Gaussian of standard deviation `strength` in pixels; beyond the border the image is black."""
    sharp = images.numpy()
    return torch.from_numpy(gaussian_filter(sharp, (0, 0, strength, strength), mode="constant"))


def occlude(images: Tensor, strength: float, seed: int) -> Tensor:
    """Cover a random square of each image with grey; `strength` is the square's side over the image's side."""
    side = images.shape[-1]
    covered = round(strength * side)
    corners = np.random.default_rng(seed).integers(0, side - covered + 1, (len(images), 2))
    result = images.clone()
    for image, (row, column) in zip(result, corners, strict=True):
        image[:, row : row + covered, column : column + covered] = 0.5
    return result


DISTORTIONS: Mapping[str, tuple[Distortion, tuple[float, ...]]] = {
    "noise": (add_noise, (0.2, 0.35, 0.5)),
    "blur": (blur, (1.0, 1.5, 2.0)),
    "occlusion": (occlude, (0.4, 0.5, 0.6)),
}
"""Distortions by their name in the scores table; the strengths leave accuracies between chance and 100 %."""
