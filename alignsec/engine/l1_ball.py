"""The L1 ball around an image, cut by the box [0,1]: the nearest point of it (Croce & Hein 2021, prop. 2.1).

Computed in the reference's own order of operations: whether a pixel counts as changed hangs on the last bit, and
the steps of APGD in L1 hang on how many pixels do.
"""

import torch
from torch import Tensor


def inward(clean: Tensor, delta: Tensor, radius: Tensor) -> Tensor:
    """What to add to perturbations delta, N x C x H x W, so that they lie in the ball and the images in the box.

    radius: N. Every pixel gives up a common amount of its perturbation, or all of it, or as much as the box asks.
    """
    x, away = clean.flatten(1), delta.flatten(1)
    size = away.abs()
    outside = (-torch.minimum(1 - x - away, x + away)).clamp(min=0)
    given_up = outside.maximum(amount(size, outside, radius).unsqueeze(1)).minimum(size)
    return (away.sign() * -given_up).view_as(delta)


def amount(sizes: Tensor, least: Tensor, radius: Tensor) -> Tensor:
    """The smallest t >= 0, N, for which sizes less min(max(least, t), sizes) sum to at most radius.

    sizes, least: N x pixels, at least 0. What is given up grows linearly with t between the values in both.
    """
    knots, slopes = _knots(sizes, least)
    following = torch.cat([knots[:, 1:], torch.zeros_like(knots[:, :1])], dim=1)
    by_box = least.sum(1)
    given_up = by_box.unsqueeze(1) + ((following - knots) * slopes).cumsum(1)
    spare = radius - sizes.sum(1)
    # The last knot has none following it: everything is given up there.
    last_short = ((given_up + spare.unsqueeze(1) < 0)[:, :-1].sum(1) - 1).clamp(min=0).unsqueeze(1)
    slope = slopes.gather(1, last_short + 1).squeeze(1)
    missing = -given_up.gather(1, last_short).squeeze(1) - spare
    t = missing / slope + following.gather(1, last_short).squeeze(1)
    return torch.where(by_box + spare < 0, t, 0.0)


def _knots(sizes: Tensor, least: Tensor) -> tuple[Tensor, Tensor]:
    """All knots above 0, ascending, with two at 0 before them, and how many pixels give up more after each.

    Most knots are 0 and need no sorting. Rows with fewer knots above 0 than the others begin with more at 0.
    """
    every = torch.cat([least, sizes], dim=1)
    above = int((every > 0).sum(1).max())
    knots, where = (part.flip(1) for part in every.topk(above, dim=1))
    turns = torch.where(where < sizes.shape[1], 1.0, -1.0) * (knots > 0)
    begun = ((sizes > 0).sum(1) - (least > 0).sum(1)).unsqueeze(1).float()
    front = torch.zeros_like(begun)
    return torch.cat([front, front, knots], dim=1), torch.cat([begun, begun, begun + turns.cumsum(1)], dim=1)


def ranked(values: Tensor, ranks: Tensor) -> Tensor:
    """The value of each row, N, that has so many smaller ones before it; values N x pixels, ranks N, from 0."""
    return torch.stack([row.kthvalue(rank + 1).values for row, rank in zip(values, ranks.tolist(), strict=True)])
