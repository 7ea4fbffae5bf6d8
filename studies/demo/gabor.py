"""A model of primary visual cortex: the energies of a bank of Gabor filters.

A complex cell responds to one orientation and spatial frequency at any phase of the stripes. Its energy is the
root of the summed squares of an even and an odd filter.

Reference: Adelson and Bergen 1985, J. Opt. Soc. Am. A 2:284.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

ORIENTATIONS = tuple(math.pi * k / 8 for k in range(8))
"""Direction across the stripes in radians, from the x axis towards the y axis."""

FREQUENCIES = (1 / 8, math.sqrt(2) / 8, 1 / 4)
"""Cycles per pixel. At 16 pixels a digit's strokes are about four pixels wide: half a cycle of the lowest."""

OCTAVES = 1.4
"""Bandwidth at half height, of the median cell in macaque V1 (De Valois et al. 1982, Vision Research 22:545)."""

STRIDE = 2
_RADIUS = 8


def gabor_pair(orientation: float, frequency: float) -> NDArray[np.float64]:
    """Return the even and the odd filter, (2, 17, 17).

    Each has unit norm and gives 0 for a uniform image.
    """
    ratio = 2**OCTAVES
    sigma = math.sqrt(math.log(2) / 2) / (math.pi * frequency) * (ratio + 1) / (ratio - 1)
    y, x = np.mgrid[-_RADIUS : _RADIUS + 1, -_RADIUS : _RADIUS + 1].astype(float)
    phase = 2 * math.pi * frequency * (x * math.cos(orientation) + y * math.sin(orientation))
    window = np.exp(-(x**2 + y**2) / (2 * sigma**2))
    even = window * (np.cos(phase) - (window * np.cos(phase)).sum() / window.sum())
    odd = window * np.sin(phase)
    return np.stack([even / np.linalg.norm(even), odd / np.linalg.norm(odd)])


def v1_energies(images: torch.Tensor) -> NDArray[np.float64]:
    """Return the complex cells' energies for (n, 1, side, side) images: (n, cells), 0 or above.

    Cells are placed at every second pixel and ordered by orientation, frequency, row and column.
    """
    bank = np.stack([gabor_pair(o, f) for o in ORIENTATIONS for f in FREQUENCIES])
    filters = torch.from_numpy(bank.reshape(-1, 1, *bank.shape[-2:]))
    # The digits have a black background, so zero padding continues the image.
    responses = F.conv2d(images.double(), filters, stride=STRIDE, padding=_RADIUS)
    energies: NDArray[np.float64] = responses.unflatten(1, (-1, 2)).square().sum(2).sqrt().flatten(1).numpy()
    return energies
