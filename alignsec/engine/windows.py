"""Windows: the squares of Square, and the two-sided pyramids that it fills them with for L2 and L1."""

from functools import lru_cache

import torch
from torch import Tensor

from alignsec.attack import Norm
from alignsec.engine.norms import length


def inside(images: Tensor, top: Tensor, left: Tensor, sides: Tensor) -> Tensor:
    """Which pixels lie in each image's window, bool N x 1 x H x W; corners and sides N."""
    height, width = images.shape[-2:]
    down = torch.arange(height, device=images.device) - top.unsqueeze(1)
    across = torch.arange(width, device=images.device) - left.unsqueeze(1)
    end = sides.unsqueeze(1)
    rows, columns = (down >= 0) & (down < end), (across >= 0) & (across < end)
    return (rows.unsqueeze(2) & columns.unsqueeze(1)).unsqueeze(1)


def positions(top: Tensor, left: Tensor, size: int, width: int) -> Tensor:
    """Flat positions of the pixels of each image's window, N x 1 x size^2."""
    reach = torch.arange(size, device=top.device)
    rows, columns = top.unsqueeze(1) + reach, left.unsqueeze(1) + reach
    return (rows.unsqueeze(2) * width + columns.unsqueeze(1)).flatten(1).unsqueeze(1)


@lru_cache(maxsize=64)
def pyramids(size: int, norm: Norm, device: torch.device) -> Tensor:
    """The pattern of a window and its transpose, 2 x size x size, norm 1: one half up, the other half down."""
    half = size // 2
    pattern = torch.cat([_pyramid(half, size, norm), -_pyramid(size - half, size, norm)])
    pattern = pattern / length(pattern.unsqueeze(0), norm)
    return torch.stack([pattern, pattern.T]).to(device)


def _pyramid(height: int, width: int, norm: Norm) -> Tensor:
    """Nested rectangles around the centre, the r-th adding 1 / r^2 (in L1 1 / r^4), norm 1."""
    middle, centre = height // 2, width // 2
    ring = (torch.arange(height) - middle).abs().unsqueeze(1).maximum((torch.arange(width) - centre).abs())
    heights = torch.zeros(height, width)
    for reach in range(max(middle, centre) + 1):
        heights += (ring <= reach) / (reach + 1.0) ** (4 if norm == "L1" else 2)
    return heights / length(heights.unsqueeze(0), norm)


def grid(clean: Tensor, turned: Tensor, signs: Tensor, norm: Norm) -> Tensor:
    """Pyramids tiling the images: turned N x tiles says which lie on their side, signs N x tiles x C."""
    height, width = clean.shape[-2:]
    size = max(height // 5, 1)
    margin = max((height - 5 * size) // 2, 0)
    delta = torch.zeros_like(clean)
    shapes = pyramids(size, norm, clean.device)
    corners = [(margin + i * size, margin + j * size) for i in range(height // size) for j in range(width // size)]
    for tile, (top, left) in enumerate(corners):
        place = delta[:, :, top : top + size, left : left + size]
        shape = shapes[turned[:, tile].long(), : place.shape[2], : place.shape[3]]
        place += shape.unsqueeze(1) * signs[:, tile, :, None, None]
    return delta
