"""The L1 ball around an image, cut by the box [0,1]: the nearest point of it (Croce & Hein 2021, prop. 2.1)."""

import torch
from torch import Tensor

_NEWTON_ROUNDS = 30
_MOST_ROUNDS = 60
_CLOSE = 2.0**-22
"""Relative change of the threshold that float32 sums cannot tell from none."""


def inward(clean: Tensor, delta: Tensor, radius: Tensor) -> Tensor:
    """What to add to perturbations delta, N x C x H x W, so that they lie in the ball and the images in the box.

    radius: N. Every pixel gives up a common amount of its perturbation, or all of it, or as much as the box asks.
    Returned is the change alone: whoever adds it in the reference's order gets the reference's rounding, on which
    the number of pixels that are still as in the clean image hangs.
    """
    x, away = clean.flatten(1), delta.flatten(1)
    size = away.abs()
    outside = (-torch.minimum(1 - x - away, x + away)).clamp(min=0)
    given_up = outside.maximum(threshold(size, size - outside, radius).unsqueeze(1)).minimum(size)
    return (away.sign() * -given_up).view_as(delta)


def threshold(sizes: Tensor, caps: Tensor, radius: Tensor) -> Tensor:
    """The smallest t >= 0, N, with sum of min(max(sizes - t, 0), caps) at most radius; sizes, caps N x pixels.

    The sum falls piecewise linearly with t: Newton's method between two bounds that close in on the solution.
    """

    low, high = torch.zeros_like(radius), sizes.amax(1)
    t = low
    for done in range(_MOST_ROUNDS):
        rest = sizes - t.unsqueeze(1)
        excess = rest.clamp(min=0).minimum(caps).sum(1) - radius
        low, high = torch.where(excess > 0, t, low), torch.where(excess > 0, high, t)
        slope = ((rest > 0) & (rest <= caps)).sum(1)
        newton = t + excess / slope
        trusted = (newton > low) & (newton < high) & (done < _NEWTON_ROUNDS)
        following = torch.where(trusted, newton, (low + high) / 2)
        if ((following - t).abs() <= _CLOSE * t).all():
            return following
        t = following
    return t


def ranked(values: Tensor, ranks: Tensor) -> Tensor:
    """The value of each row, N, that has so many smaller ones before it; values N x pixels, ranks N, from 0."""
    return torch.stack([row.kthvalue(rank + 1).values for row, rank in zip(values, ranks.tolist(), strict=True)])
