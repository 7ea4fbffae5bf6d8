"""Square: random search over squares, by forward passes alone (Andriushchenko et al. 2020, arXiv 1912.00049).

AutoAttack's settings: squares start at 0.8 of the image and shrink by the schedule of 10,000 queries, whatever
the number of queries; the loss is the margin.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from alignsec.attack import Norm
from alignsec.engine import l1_ball, windows
from alignsec.engine.norms import length, unit
from alignsec.engine.rows import Rows, spread

_SHARE = 0.8
_JUST_INSIDE = 1 - 1e-6
"""Share of an L1 budget that the reference lets Square use."""
_SHRINKS_AFTER = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)


@dataclass
class SquareRows(Rows):
    """Where each search stands. Images N x C x H x W, the rest N."""

    clean: Tensor
    labels: Tensor
    eps: Tensor
    x: Tensor
    """The point whose logits are wanted next."""
    best: Tensor
    margin: Tensor
    """At best."""
    numbers: Tensor
    """Uniform random numbers for the coming steps, N x chunk x numbers a step."""


def start(clean: Tensor, labels: Tensor, eps: Tensor, drawn: Tensor, numbers: Tensor, norm: Norm) -> SquareRows:
    """Searches at their starts: vertical stripes for Linf (drawn N x C x 1 x W), else a grid of tiles."""
    if norm == "Linf":
        x = (clean + spread(eps, clean) * _signs(drawn)).clamp(0, 1)
    else:
        turned, signs = drawn[..., 0] > 0.5, _signs(drawn[..., 1:])
        x = _scaled(clean, windows.grid(clean, turned, signs, norm), eps, norm)
    everywhere = torch.full_like(eps, torch.inf)
    return SquareRows(clean, labels, eps, x, x, everywhere, numbers)


def learn(rows: SquareRows, margins: Tensor) -> None:
    """Keep each point that lowered the margin, or crossed the boundary."""
    better = (margins < rows.margin) | (margins <= 0)
    rows.best = torch.where(spread(better, rows.x), rows.x, rows.best)
    rows.margin = torch.where(better, margins, rows.margin)


def move(rows: SquareRows, steps: list[int], norm: Norm) -> None:
    """Try another square on each best point; starts stay. steps: passes so far of each row."""
    device, chunk = rows.x.device, rows.numbers.shape[1]
    queries = torch.tensor(steps) - 1
    numbers = rows.numbers[torch.arange(len(steps), device=device), (queries % chunk).to(device)]
    of_each = sides(queries, rows.x.shape[-2], rows.x.shape[-1], norm)
    if norm == "Linf":
        moved = _linf(rows, numbers, of_each.to(device))
    else:
        moved = torch.empty_like(rows.x)
        for size in of_each.unique().tolist():
            group = (of_each == size).nonzero().squeeze(1).to(device)
            clean, best, eps = rows.clean[group], rows.best[group], rows.eps[group]
            moved[group] = _windows(clean, best, eps, numbers[group], size, norm)
    begun = (queries >= 0).to(device)
    rows.x = moved if min(steps) else torch.where(spread(begun, moved), moved, rows.x)


def sides(queries: Tensor, height: int, width: int, norm: Norm) -> Tensor:
    """Side of the square that each query tries, in pixels; odd and at least 3 for L2 and L1.

    queries: int64 N, from 0, on the CPU.
    """
    return _sides(height, width, norm)[torch.bucketize(queries, torch.tensor(_SHRINKS_AFTER))]


@lru_cache(maxsize=8)
def _sides(height: int, width: int, norm: Norm) -> Tensor:
    """After so many shrinkings."""
    found = []
    for shrunk in range(len(_SHRINKS_AFTER) + 1):
        wanted = round(math.sqrt(_SHARE / 2**shrunk * height * width))
        wanted = max(wanted, 1) if norm == "Linf" else max(wanted, 3) | 1
        found.append(min(wanted, height, width))
    return torch.tensor(found)


def _signs(numbers: Tensor) -> Tensor:
    return (2 * numbers - 1).sign()


def _corner(numbers: Tensor, room: int | Tensor) -> Tensor:
    """A position from a uniform number: 0 to room - 1."""
    return (room * numbers).long()


def _linf(rows: SquareRows, numbers: Tensor, sides: Tensor) -> Tensor:
    """Push a square of each channel to one side of the ball."""
    height, width = rows.x.shape[-2:]
    top, left = _corner(numbers[:, 0], height - sides), _corner(numbers[:, 1], width - sides)
    inside = windows.inside(rows.x, top, left, sides)
    radius = spread(rows.eps, rows.x)
    push = 2 * radius * _signs(numbers[:, 2:])[..., None, None] * inside
    pushed = (rows.best + push).maximum(rows.clean - radius).minimum(rows.clean + radius)
    return pushed.clamp(0, 1)


def _windows(clean: Tensor, best: Tensor, eps: Tensor, numbers: Tensor, size: int, norm: Norm) -> Tensor:
    """Move the perturbation out of one window into another, in the shape of a two-sided pyramid."""
    channels, height, width = clean.shape[1:]
    room = torch.tensor([height - size, width - size], device=numbers.device)
    to, away = _corner(numbers[:, 0:2], room), _corner(numbers[:, 2:4], room)
    delta = best - clean
    gaining = windows.positions(to[:, 0], to[:, 1], size, width)
    losing = windows.positions(away[:, 0], away[:, 1], size, width)
    sides = torch.full_like(to[:, 0], size)
    gained = windows.inside(delta, to[:, 0], to[:, 1], sides)
    either = gained | windows.inside(delta, away[:, 0], away[:, 1], sides)

    flat = delta.flatten(2)
    old = flat.gather(2, gaining.expand(-1, channels, -1))
    shapes = windows.pyramids(size, norm, delta.device)[(numbers[:, 4] > 0.5).long()].flatten(1).unsqueeze(1)
    new = shapes * _signs(numbers[:, 5:]).unsqueeze(-1) + old / (1e-12 + _lengths(old, norm))
    new = new / (1e-12 + _lengths(new, norm)) * _allowed(delta, either, eps, norm)
    flat = flat.scatter(2, losing.expand(-1, channels, -1), 0.0)
    flat = flat.scatter(2, gaining.expand(-1, channels, -1), new)
    return _scaled(clean, flat.view_as(delta), eps, norm)


def _lengths(windows_of: Tensor, norm: Norm) -> Tensor:
    """Norm of each channel, N x C x 1."""
    if norm == "L1":
        return windows_of.abs().sum(-1, keepdim=True)
    return windows_of.square().sum(-1, keepdim=True).sqrt()


def _allowed(delta: Tensor, either: Tensor, eps: Tensor, norm: Norm) -> Tensor:
    """Norm that each channel's new window may have, N x C x 1: what both windows held, and a share of the rest.

    In L1 the reference gives every channel that, times the number of channels; its projection puts it right.
    """
    channels, spent = delta.shape[1], delta * either
    if norm == "L1":
        left = (eps - length(delta, norm)).clamp(min=0)
        return (left.view(-1, 1, 1) / channels + _lengths(spent.flatten(2), norm)) * channels
    left = (eps.square() - length(delta, norm).square()).clamp(min=0)
    return (left.view(-1, 1, 1) / channels + spent.square().sum((-2, -1)).unsqueeze(-1)).sqrt()


def _scaled(clean: Tensor, delta: Tensor, eps: Tensor, norm: Norm) -> Tensor:
    """The clean images and these perturbations brought to the budget's length; in L1, brought into its ball."""
    if norm == "L1":
        return clean + delta + l1_ball.inward(clean, delta, eps * _JUST_INSIDE)
    return (clean + unit(delta, norm) * spread(eps, delta)).clamp(0, 1)
