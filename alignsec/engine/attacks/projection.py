"""Projection onto a hyperplane inside the box [0,1]: what FAB's steps are made of (arXiv 1907.02044).

Wanted is the smallest d, in Linf, L2 or L1, with <w, x + d> = <w, x> - gap and x + d in the box. Along its optimum
every pixel moves against w by a common amount, or as far as the box lets it: with weights a and rooms r, the
amount t solves sum a * min(t, r) = gap, for Linf a = |w|, r = room; for L2 a = w^2, r = room / |w|. In L1 the
pixels with the largest |w| move as far as the box lets them, one after another, until the gap is closed.
"""

import torch
from torch import Tensor

from alignsec.spec.components import Norm

_FLAT = {"Linf": 0.0, "L2": 1e-8, "L1": 1e-8}
"""Weights no larger than this are taken as zero, as in the reference."""
_MOST_ROUNDS = 64
_FEW = 128
"""Pixels that the projection in L1 looks at first: it seldom moves more."""


def project(points: Tensor, weights: Tensor, gaps: Tensor, norm: Norm) -> Tensor:
    """The displacement d of each point, N x pixels, for hyperplanes weights N x pixels at signed gaps N.

    Where the hyperplane does not meet the box, d goes to the corner nearest to it.
    """
    slopes = weights * torch.where(gaps >= 0, 1.0, -1.0).unsqueeze(1)
    steep = slopes.abs() > _FLAT[norm]
    room = torch.where(slopes > 0, points, 1 - points) * steep
    size = slopes.abs() * steep
    if norm == "Linf":
        moved = room.minimum(level(size, room, gaps.abs()).unsqueeze(1))
    elif norm == "L1":
        moved = _heaviest_first(size, room, gaps.abs())
    else:
        reach = torch.where(steep, room / size, 0.0)
        moved = size * reach.minimum(level(size.square(), reach, gaps.abs()).unsqueeze(1))
    return torch.where(slopes > 0, -moved, moved)


def level(weights: Tensor, rooms: Tensor, total: Tensor) -> Tensor:
    """The t >= 0, N, with sum weights * min(t, rooms) = total; infinite where all the room is too little.

    weights, rooms: N x pixels, at least 0. The sum is concave and piecewise linear in t, so Newton's method
    climbs from 0 without ever passing the solution and ends on it: no sort is needed.
    """
    t = torch.zeros_like(total)
    for _ in range(_MOST_ROUNDS):
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


def _heaviest_first(weights: Tensor, rooms: Tensor, total: Tensor) -> Tensor:
    """Moves of least sum, 0 <= moves <= rooms, with sum weights * moves = total; all the room if that is less."""
    pixels, few = weights.shape[1], _FEW
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
