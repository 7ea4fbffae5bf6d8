"""Projection onto a hyperplane inside the box [0,1], which FAB uses in each step.

The projection is the smallest d, in Linf, L2 or L1, with <w, x + d> = <w, x> - gap and x + d in the box. At the
optimum, every pixel moves against w by a common amount t, but not out of the box. With weights a and rooms r,
t solves sum a * min(t, r) = gap: for Linf a = |w| and r = room, for L2 a = w^2 and r = room / |w|. In L1, the
pixels with the largest |w| move to the edge of the box, one after another, until the gap is closed.

Reference: Croce & Hein 2020 (arXiv 1907.02044).
"""

import torch
from torch import Tensor

from alignsec.spec.components import Norm

_ZERO_WEIGHT = {"Linf": 0.0, "L2": 1e-8, "L1": 1e-8}
"""Weights no larger than this count as zero, as in the reference."""
_MAX_ITERATIONS = 64
_FIRST_PIXELS = 128
"""Pixels that the projection in L1 tries first. It rarely moves more."""


def project(points: Tensor, weights: Tensor, gaps: Tensor, norm: Norm) -> Tensor:
    """Return the displacement d of each point.

    Args:
        points: Points in [0,1], N x pixels.
        weights: Normals w of the hyperplanes, N x pixels.
        gaps: Signed gaps, N.
        norm: Norm that d minimizes.

    Returns:
        Displacements, N x pixels. If the hyperplane does not meet the box, d leads to the corner nearest to it.
    """
    slopes = weights * torch.where(gaps >= 0, 1.0, -1.0).unsqueeze(1)
    steep = slopes.abs() > _ZERO_WEIGHT[norm]
    room = torch.where(slopes > 0, points, 1 - points) * steep
    size = slopes.abs() * steep
    if norm == "Linf":
        moved = room.minimum(solve_level(size, room, gaps.abs()).unsqueeze(1))
    elif norm == "L1":
        moved = _move_heaviest_first(size, room, gaps.abs())
    else:
        reach = torch.where(steep, room / size, 0.0)
        moved = size * reach.minimum(solve_level(size.square(), reach, gaps.abs()).unsqueeze(1))
    return torch.where(slopes > 0, -moved, moved)


def solve_level(weights: Tensor, rooms: Tensor, total: Tensor) -> Tensor:
    """Return the t >= 0 with sum weights * min(t, rooms) = total.

    The sum is concave and piecewise linear in t. Newton's method from 0 therefore never passes the solution and
    ends at it, without a sort.

    Args:
        weights: Weights of at least 0, N x pixels.
        rooms: Rooms of at least 0, N x pixels.
        total: Required sums, N.

    Returns:
        The levels t, N; infinite if all the room is too little.
    """
    t = torch.zeros_like(total)
    for _ in range(_MAX_ITERATIONS):
        free = rooms > t.unsqueeze(1)
        used = (weights * rooms).masked_fill(free, 0).sum(1)
        slope = weights.masked_fill(~free, 0).sum(1)
        left = total - used
        higher = torch.where(slope > 0, left / slope, torch.where(left > 0, torch.inf, t))
        rising = higher > t
        if not rising.any():
            break
        t = torch.where(rising, higher, t)
    return t


def _move_heaviest_first(weights: Tensor, rooms: Tensor, total: Tensor) -> Tensor:
    """Return the moves of least sum, within the rooms, with sum weights * moves = total; else all the room."""
    pixels, few = weights.shape[1], _FIRST_PIXELS
    while True:
        heaviest, where = weights.topk(min(few, pixels), dim=1)
        room = rooms.gather(1, where)
        closed = (heaviest * room).cumsum(1)
        if few >= pixels or (closed[:, -1] >= total).all():
            break
        few *= 8
    before = torch.cat([torch.zeros_like(closed[:, :1]), closed[:, :-1]], dim=1)
    wanted = (total.unsqueeze(1) - before).clamp(min=0) / heaviest
    return torch.zeros_like(rooms).scatter(1, where, room.minimum(wanted.nan_to_num(0, 0, 0)))
