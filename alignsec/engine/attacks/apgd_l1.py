"""APGD in L1: sparse steps in three balls, each smaller than the one before.

The best point of a ball, projected to the next ball, is the next start. Only points in the last ball, of radius
eps, count. The random start, the balls and the steps in each are those of the reference's standard version.

Reference: Croce & Hein 2021 (arXiv 2103.01208).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from alignsec.engine.attacks.apgd import AscentRows, AscentTable
from alignsec.engine.attacks.l1_ball import project_delta, select_rank
from alignsec.engine.norms import per_row
from alignsec.engine.search import Schedule
from alignsec.spec.components import Parameters

BALLS = (3.0, 2.0, 1.0)
"""Radii of the balls, in multiples of eps."""
_STEP_SHARES = (0.3, 0.3)
"""Shares of the steps in the first two balls; the last ball gets the rest."""
_CHECK_SHARE = 0.04
"""Share of a ball's steps between two checks."""
_SPARSER = 0.95
"""If the best point changes fewer pixels than this share of those at the last check, the search returns to it."""
_DENSITY = 1.5
"""A step changes as many pixels as the point has changed, divided by this."""
_SHRINK, _LARGEST_SHRINK = 1.5, 10.0
"""Divisor of the step if the best point did not get sparser, and the largest divisor in all."""


@dataclass
class ApgdL1Rows(AscentRows):
    """State of each search."""

    share: Tensor
    """Share of the pixels that the next step changes."""
    changed: Tensor
    """Pixels that differed from the clean image at the last check, float."""


@dataclass(frozen=True)
class BallPass:
    """One pass of the schedule; the start of a ball is a pass too."""

    ball: int
    starts: bool
    ends: bool
    checks: bool

    @property
    def counts(self) -> bool:
        """True in the last ball, where a misclassified point is an adversarial image."""
        return self.ball == len(BALLS) - 1


@lru_cache(maxsize=8)
def plan_passes(steps: int) -> tuple[BallPass, ...]:
    """Return every pass of a search: one at the start of each ball, and one per step."""
    first, second = (math.ceil(share * steps) for share in _STEP_SHARES)
    passes = []
    for ball, length in enumerate((first, second, steps - first - second)):
        interval = max(int(_CHECK_SHARE * length), 1)
        passes += [
            BallPass(ball, starts=at == 0, ends=at == length, checks=at > 0 and at % interval == 0)
            for at in range(length + 1)
        ]
    return tuple(passes)


def start_rows(clean: Tensor, labels: Tensor, targets: Tensor, eps: Tensor, noise: Tensor) -> ApgdL1Rows:
    """Return searches at their random starts in the first ball, given normal noise, N x C x H x W."""
    radius = BALLS[0] * eps
    x = clean + noise
    for _ in range(2):  # The second projection changes rounding errors only, as in the reference.
        x = x + project_delta(clean, x - clean, radius)
    x = x.clamp(0, 1)
    changed = _count_changed(x, clean)
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
        share=_next_share(changed, clean),
        changed=changed,
    )


def advance(rows: ApgdL1Rows, losses: Tensor, gradients: Tensor, taken: Sequence[int], steps: int) -> None:
    """Move every row to its next point.

    Args:
        rows: The searches.
        losses: Losses at `rows.x`, N.
        gradients: Gradients at `rows.x`, N x C x H x W.
        taken: Passes of each row so far.
        steps: Steps of a whole search.
    """
    now = [plan_passes(steps)[at] for at in taken]
    radius = rows.eps * _to_tensor([BALLS[one.ball] for one in now], losses)
    rows.update_best(losses, gradients, first=_to_tensor([one.starts for one in now], losses))
    x, gradients = _check(rows, gradients, radius, [one.checks for one in now])
    following = _take_step(rows, x, gradients, radius)
    if any(one.ends for one in now):
        ends = _to_tensor([one.ends for one in now], losses)
        next_radius = rows.eps * _to_tensor([BALLS[min(one.ball + 1, len(BALLS) - 1)] for one in now], losses)
        restart = (rows.best + project_delta(rows.clean, rows.best - rows.clean, next_radius)).clamp(0, 1)
        changed = _count_changed(restart, rows.clean)
        following = torch.where(per_row(ends, x), restart, following)
        rows.size = torch.where(ends, next_radius, rows.size)
        rows.share = torch.where(ends, _next_share(changed, x), rows.share)
        rows.changed = torch.where(ends, changed, rows.changed)
    rows.x = following


def _check(rows: ApgdL1Rows, gradients: Tensor, radius: Tensor, checks: Sequence[bool]) -> tuple[Tensor, Tensor]:
    """Send searches whose best point got sparser back to it, with the longest step; shorten the others' step."""
    if not any(checks):
        return rows.x, gradients
    due = _to_tensor(checks, gradients)
    changed = _count_changed(rows.best, rows.clean)
    sparser = due & (changed / rows.changed < _SPARSER)
    size = torch.where(sparser, radius, rows.size / _SHRINK)
    size = size.maximum(radius / _LARGEST_SHRINK).minimum(radius)
    rows.size = torch.where(due, size, rows.size)
    rows.share = torch.where(due, _next_share(changed, rows.clean), rows.share)
    rows.changed = torch.where(due, changed, rows.changed)
    back = per_row(sparser, rows.x)
    return torch.where(back, rows.best, rows.x), torch.where(back, rows.best_gradient, gradients)


def _take_step(rows: ApgdL1Rows, x: Tensor, gradients: Tensor, radius: Tensor) -> Tensor:
    """Return the points after a step along the signs of the steepest pixels, projected to the ball.

    As in the reference, a point may be outside the box by a rounding error.
    """
    steep, pixels = gradients.abs(), rows.clean[0].numel()
    rank = ((1.0 - rows.share) * pixels).clamp(0, pixels - 1).long()
    threshold = select_rank(steep.flatten(1), rank)
    signs = gradients.sign() * (steep >= per_row(threshold, steep))
    aimed = x + per_row(rows.size, x) * signs / (per_row(signs.abs().flatten(1).sum(1), x) + 1e-10)
    away = aimed - rows.clean
    return rows.clean + away + project_delta(rows.clean, away, radius)


def _count_changed(x: Tensor, clean: Tensor) -> Tensor:
    """Return the number of pixels that differ, float N."""
    return (x != clean).flatten(1).sum(1).float()


def _next_share(changed: Tensor, images: Tensor) -> Tensor:
    return changed / images[0].numel() / _DENSITY


def _to_tensor(values: Sequence[bool] | Sequence[float], like: Tensor) -> Tensor:
    return torch.tensor(values, device=like.device)


class ApgdL1Table(AscentTable[ApgdL1Rows]):
    """APGD in L1."""

    @classmethod
    def schedule(cls, parameters: Parameters) -> Schedule:
        """Return the steps and a start in each of the three balls."""
        passes = plan_passes(parameters["steps"])
        return Schedule(parameters["steps"], len(passes), counts_from=[one.counts for one in passes].index(True))

    def _start_rows(
        self, clean: Tensor, labels: Tensor, targets: Tensor, eps: Tensor, noise: Tensor
    ) -> ApgdL1Rows:
        return start_rows(clean, labels, targets, eps, noise)

    def _advance(self, losses: Tensor, gradients: Tensor) -> None:
        advance(self.rows, losses, gradients, self.steps, self.stage.schedule.steps)

    def points(self) -> Tensor:
        """Return the present points without rounding errors outside the box."""
        return self.rows.x.clamp(0, 1)

    def counts_now(self) -> list[bool]:
        """Return True for searches in the last ball."""
        first = self.stage.schedule.counts_from
        return [taken >= first for taken in self.steps]

    def row_type(self) -> type[ApgdL1Rows]:
        """Return the class of the rows."""
        return ApgdL1Rows
