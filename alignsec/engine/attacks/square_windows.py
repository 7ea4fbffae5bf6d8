"""Windows of Square: masks, positions and patterns of square windows in a batch of images.

Reference: Andriushchenko et al. 2020 (arXiv 1912.00049), section 3.3 and the supplement.
"""

from functools import lru_cache

import torch
from torch import Tensor

from alignsec.engine.norms import length
from alignsec.spec.components import Norm


def window_mask(images: Tensor, top: Tensor, left: Tensor, sides: Tensor) -> Tensor:
    """Return which pixels are in each image's window, bool, N x 1 x H x W. Corners and sides are N."""
    height, width = images.shape[-2:]
    down = torch.arange(height, device=images.device) - top.unsqueeze(1)
    across = torch.arange(width, device=images.device) - left.unsqueeze(1)
    end = sides.unsqueeze(1)
    rows, columns = (down >= 0) & (down < end), (across >= 0) & (across < end)
    return (rows.unsqueeze(2) & columns.unsqueeze(1)).unsqueeze(1)


def window_positions(top: Tensor, left: Tensor, size: int, width: int) -> Tensor:
    """Return the flat positions of the pixels of each image's window, N x 1 x size^2.

    Args:
        top: Rows of the upper left corners, N.
        left: Columns of the upper left corners, N.
        size: Side of all windows.
        width: Width of the images.
    """
    reach = torch.arange(size, device=top.device)
    rows, columns = top.unsqueeze(1) + reach, left.unsqueeze(1) + reach
    return (rows.unsqueeze(2) * width + columns.unsqueeze(1)).flatten(1).unsqueeze(1)


@lru_cache(maxsize=64)
def window_patterns(size: int, norm: Norm, device: torch.device) -> Tensor:
    """Return the pattern of a window and its transpose, 2 x size x size.

    Each has norm 1, one positive and one negative half.
    """
    half = size // 2
    pattern = torch.cat([_pyramid(half, size, norm), -_pyramid(size - half, size, norm)])
    pattern = pattern / length(pattern.unsqueeze(0), norm)
    return torch.stack([pattern, pattern.T]).to(device)


def _pyramid(height: int, width: int, norm: Norm) -> Tensor:
    """Return nested rectangles around the centre, of norm 1; the r-th adds 1 / r^2, in L1 1 / r^4."""
    middle, centre = height // 2, width // 2
    ring = (torch.arange(height) - middle).abs().unsqueeze(1).maximum((torch.arange(width) - centre).abs())
    heights = torch.zeros(height, width)
    for reach in range(max(middle, centre) + 1):
        heights += (ring <= reach) / (reach + 1.0) ** (4 if norm == "L1" else 2)
    return heights / length(heights.unsqueeze(0), norm)


def tile(clean: Tensor, turned: Tensor, signs: Tensor, norm: Norm) -> Tensor:
    """Return a perturbation of patterns that tile the images.

    Args:
        clean: Clean images, N x C x H x W.
        turned: True for tiles with the transposed pattern, N x tiles.
        signs: Sign of each tile and channel, N x tiles x C.
        norm: L2 or L1.
    """
    height, width = clean.shape[-2:]
    size = max(height // 5, 1)
    margin = max((height - 5 * size) // 2, 0)
    delta = torch.zeros_like(clean)
    patterns = window_patterns(size, norm, clean.device)
    corners = [(margin + i * size, margin + j * size) for i in range(height // size) for j in range(width // size)]
    for number, (top, left) in enumerate(corners):
        place = delta[:, :, top : top + size, left : left + size]
        pattern = patterns[turned[:, number].long(), : place.shape[2], : place.shape[3]]
        place += pattern.unsqueeze(1) * signs[:, number, :, None, None]
    return delta
