"""APGD in L1: sparse steps through three balls, each smaller than the one before (Croce & Hein 2021, 2103.01208).

What a ball is left with is the next one's start; only in the last ball, of radius eps, does a point count. The
random start, the balls and the steps in each are those that the reference's standard version turns on.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from alignsec.engine.attacks.apgd import ClimbRows, ClimbTable
from alignsec.engine.attacks.l1_ball import inward, ranked
from alignsec.engine.norms import spread
from alignsec.engine.search import Schedule
from alignsec.spec.components import Parameters

BALLS = (3.0, 2.0, 1.0)
"""Their radii in eps."""
_STEPS = (0.3, 0.3)
"""Shares of the steps that are taken in the first balls; the last one gets the rest."""
_LOOK = 0.04
"""Share of a ball's steps after which a search looks back."""
_SPARSER = 0.95
"""A best point with fewer changed pixels than this share of those at the last look sends a search back to it."""
_DENSITY = 1.5
"""A step changes the changed pixels' number by this."""
_SHRINK, _SMALLEST = 1.5, 10.0
"""What the step is divided by where the best point did not get sparser, and in all at most."""


@dataclass
class ApgdL1Rows(ClimbRows):
    """Where a search stands."""

    share: Tensor
    """Of the pixels that the next step changes."""
    changed: Tensor
    """Pixels that differed from the clean image at the last look, float."""


@dataclass(frozen=True)
class Leg:
    """A pass in the schedule, the start of a ball included."""

    ball: int
    starts: bool
    ends: bool
    looks: bool

    @property
    def counts(self) -> bool:
        """Whether its point, if misclassified, is an adversarial image: it lies in the last ball."""
        return self.ball == len(BALLS) - 1


@lru_cache(maxsize=8)
def legs(steps: int) -> tuple[Leg, ...]:
    """Every pass of a search: in each ball one at its start and one a step."""
    first, second = (math.ceil(share * steps) for share in _STEPS)
    found = []
    for ball, length in enumerate((first, second, steps - first - second)):
        look = max(int(_LOOK * length), 1)
        found += [
            Leg(ball, starts=at == 0, ends=at == length, looks=at > 0 and at % look == 0)
            for at in range(length + 1)
        ]
    return tuple(found)


def start(clean: Tensor, labels: Tensor, targets: Tensor, eps: Tensor, noise: Tensor) -> ApgdL1Rows:
    """Searches at their random starts in the first ball: noise N x C x H x W, normal."""
    radius = BALLS[0] * eps
    x = clean + noise
    for _ in range(2):  # The second time moves rounding errors alone, as in the reference.
        x = x + inward(clean, x - clean, radius)
    x = x.clamp(0, 1)
    changed = _changed(x, clean)
    return ApgdL1Rows(
        clean=clean,
        labels=labels,
        targets=targets,
        eps=eps,
        x=x,
        best=x,
        best_gradient=torch.zeros_like(x),
        size=radius,
        best_loss=torch.zeros_like(eps),
        share=_share(changed, clean),
        changed=changed,
    )


def advance(rows: ApgdL1Rows, losses: Tensor, gradients: Tensor, taken: Sequence[int], steps: int) -> None:
    """Learn the losses, N, and gradients at rows.x, and move on to the next point.

    taken: passes so far of each row, of all that `steps` steps take.
    """
    plan = [legs(steps)[at] for at in taken]
    radius = rows.eps * _each([BALLS[leg.ball] for leg in plan], losses)
    rows.remember(losses, gradients, first=_each([leg.starts for leg in plan], losses))
    x, gradients = _look(rows, gradients, radius, [leg.looks for leg in plan])
    following = _step(rows, x, gradients, radius)
    if any(leg.ends for leg in plan):
        ends = _each([leg.ends for leg in plan], losses)
        smaller = rows.eps * _each([BALLS[min(leg.ball + 1, len(BALLS) - 1)] for leg in plan], losses)
        fresh = (rows.best + inward(rows.clean, rows.best - rows.clean, smaller)).clamp(0, 1)
        changed = _changed(fresh, rows.clean)
        following = torch.where(spread(ends, x), fresh, following)
        rows.size = torch.where(ends, smaller, rows.size)
        rows.share = torch.where(ends, _share(changed, x), rows.share)
        rows.changed = torch.where(ends, changed, rows.changed)
    rows.x = following


def _look(rows: ApgdL1Rows, gradients: Tensor, radius: Tensor, looks: Sequence[bool]) -> tuple[Tensor, Tensor]:
    """Where the best point got sparser, go back to it with the longest step; elsewhere shorten the step."""
    if not any(looks):
        return rows.x, gradients
    due = _each(looks, gradients)
    changed = _changed(rows.best, rows.clean)
    sparser = due & (changed / rows.changed < _SPARSER)
    size = torch.where(sparser, radius, rows.size / _SHRINK)
    size = size.maximum(radius / _SMALLEST).minimum(radius)
    rows.size = torch.where(due, size, rows.size)
    rows.share = torch.where(due, _share(changed, rows.clean), rows.share)
    rows.changed = torch.where(due, changed, rows.changed)
    back = spread(sparser, rows.x)
    return torch.where(back, rows.best, rows.x), torch.where(back, rows.best_gradient, gradients)


def _step(rows: ApgdL1Rows, x: Tensor, gradients: Tensor, radius: Tensor) -> Tensor:
    """Along the signs of the steepest pixels, then back into the ball.

    The result may lie a rounding error outside the box, as the reference's does.
    """
    steep, pixels = gradients.abs(), rows.clean[0].numel()
    rank = ((1.0 - rows.share) * pixels).clamp(0, pixels - 1).long()
    threshold = ranked(steep.flatten(1), rank)
    signs = gradients.sign() * (steep >= spread(threshold, steep))
    aimed = x + spread(rows.size, x) * signs / (spread(signs.abs().flatten(1).sum(1), x) + 1e-10)
    away = aimed - rows.clean
    return rows.clean + away + inward(rows.clean, away, radius)


def _changed(x: Tensor, clean: Tensor) -> Tensor:
    """Pixels that differ, float N."""
    return (x != clean).flatten(1).sum(1).float()


def _share(changed: Tensor, images: Tensor) -> Tensor:
    return changed / images[0].numel() / _DENSITY


def _each(values: Sequence[bool] | Sequence[float], like: Tensor) -> Tensor:
    """One value a row."""
    return torch.tensor(values, device=like.device)


class ApgdL1Table(ClimbTable[ApgdL1Rows]):
    """APGD through three balls, of which the last one counts."""

    @classmethod
    def schedule(cls, parameters: Parameters) -> Schedule:
        """Return the steps and a start in each of the three balls."""
        passes = legs(parameters["steps"])
        return Schedule(parameters["steps"], len(passes), counts_from=[leg.counts for leg in passes].index(True))

    def _start(self, clean: Tensor, labels: Tensor, targets: Tensor, eps: Tensor, noise: Tensor) -> ApgdL1Rows:
        return start(clean, labels, targets, eps, noise)

    def _advance(self, losses: Tensor, gradients: Tensor) -> None:
        advance(self.rows, losses, gradients, self.steps, self.stage.schedule.steps)

    def points(self) -> Tensor:
        """Where the rows stand, less the rounding errors outside the box."""
        return self.rows.x.clamp(0, 1)

    def counting(self) -> list[bool]:
        """Points in larger balls only show the way."""
        first = self.stage.schedule.counts_from
        return [step >= first for step in self.steps]

    def row_type(self) -> type[ApgdL1Rows]:
        """APGD's in L1."""
        return ApgdL1Rows
