"""APGD in Linf and L2: gradient ascent that halves its step when the loss stops rising.

APGD-CE uses the cross-entropy, APGD-T the targeted difference of logits ratio. For L1 see
`alignsec.engine.attacks.apgd_l1`.

Reference: Croce & Hein 2020 (arXiv 2003.01690).
"""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import torch
from torch import Tensor

from alignsec.engine.attacks import losses
from alignsec.engine.norms import Rows, normalize, per_row, project_to_ball
from alignsec.engine.search import Schedule, Search
from alignsec.engine.table import StepInput, Table
from alignsec.spec.components import Norm, Parameters

_RHO = 0.75
"""Share of steps that must raise the loss; after an interval with fewer, the step is halved."""
_GRADIENT_WEIGHT = 0.75
"""Weight of the gradient step against momentum."""


@dataclass
class AscentRows(Rows):
    """State of each search for any norm. Images are N x C x H x W, the rest N."""

    clean: Tensor
    labels: Tensor
    targets: Tensor
    eps: Tensor
    x: Tensor
    """Point whose logits are needed next."""
    best: Tensor
    best_gradient: Tensor
    size: Tensor
    """Size of the next step."""
    best_loss: Tensor

    def update_best(self, losses: Tensor, gradients: Tensor, first: Tensor) -> None:
        """Make x the best point of each row whose loss is the highest so far, and of rows with `first`, bool N."""
        better = first | (losses > self.best_loss)
        self.best = torch.where(per_row(better, self.x), self.x, self.best)
        self.best_gradient = torch.where(per_row(better, self.x), gradients, self.best_gradient)
        self.best_loss = torch.where(better, losses, self.best_loss)


@dataclass
class ApgdRows(AscentRows):
    """State of each search in Linf or L2."""

    previous: Tensor
    last_loss: Tensor
    loss_at_check: Tensor
    rises: Tensor
    """Steps since the last check that raised the loss."""
    halved: Tensor
    """True if the last check halved the step."""


def start_rows(clean: Tensor, labels: Tensor, targets: Tensor, eps: Tensor, noise: Tensor, norm: Norm) -> ApgdRows:
    """Return searches at their random starts, given directions `noise`, N x C x H x W."""
    x = (clean + per_row(eps, clean) * normalize(noise, norm)).clamp(0, 1)
    zero = torch.zeros_like(eps)
    return ApgdRows(
        clean=clean,
        labels=labels,
        targets=targets,
        eps=eps,
        x=x,
        best=x,
        best_gradient=torch.zeros_like(x),
        previous=x,
        size=2 * eps,
        best_loss=zero,
        last_loss=zero,
        loss_at_check=zero,
        rises=zero,
        halved=torch.ones_like(labels, dtype=torch.bool),
    )


@lru_cache(maxsize=8)
def check_intervals(steps: int) -> tuple[int, ...]:
    """Return for each pass, start included, how many steps the check after it looks back on; 0 without a check.

    Reference: Croce & Hein 2020, section 3.1.
    """
    interval, shortest, shrink = (max(int(share * steps), 1) for share in (0.22, 0.06, 0.03))
    intervals = [0] * (steps + 1)
    at = interval
    while at <= steps:
        intervals[at] = interval
        interval = max(interval - shrink, shortest)
        at += interval
    return tuple(intervals)


def advance(
    rows: ApgdRows, losses: Tensor, gradients: Tensor, taken: Sequence[int], steps: int, norm: Norm
) -> None:
    """Move every row to its next point.

    Args:
        rows: The searches.
        losses: Losses at `rows.x`, N.
        gradients: Gradients at `rows.x`, N x C x H x W.
        taken: Steps that led each row to x; 0 at its start.
        steps: Steps of a whole search.
        norm: Linf or L2.
    """
    first = torch.tensor([step == 0 for step in taken], device=losses.device)
    rows.update_best(losses, gradients, first)
    rows.loss_at_check = torch.where(first, losses, rows.loss_at_check)
    # The reference compares the first step's loss with 0, not with the loss at the start.
    rows.rises = rows.rises + (~first & (losses > rows.last_loss))
    rows.last_loss = torch.where(first, 0.0, losses)

    x, gradients = _check(rows, gradients, [check_intervals(steps)[step] for step in taken])
    _take_step(rows, x, gradients, first, norm)


def _check(rows: ApgdRows, gradients: Tensor, intervals: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Halve the step of searches that have stalled, and return them to their best point."""
    if not any(intervals):
        return rows.x, gradients
    interval = torch.tensor(intervals, device=gradients.device)
    due = interval > 0
    few_rises = rows.rises <= interval * _RHO
    no_better = ~rows.halved & (rows.loss_at_check >= rows.best_loss)
    halve = due & (few_rises | no_better)
    rows.halved = torch.where(due, halve, rows.halved)
    rows.loss_at_check = torch.where(due, rows.best_loss, rows.loss_at_check)
    rows.rises = torch.where(due, 0.0, rows.rises)
    rows.size = torch.where(halve, rows.size / 2, rows.size)
    back = per_row(halve, rows.x)
    return torch.where(back, rows.best, rows.x), torch.where(back, rows.best_gradient, gradients)


def _take_step(rows: ApgdRows, x: Tensor, gradients: Tensor, first: Tensor, norm: Norm) -> None:
    """Take an ascent step and then momentum, each followed by a projection to the ball and the box."""
    momentum = x - rows.previous
    weight = per_row(torch.where(first, 1.0, _GRADIENT_WEIGHT), x)
    uphill = gradients.sign() if norm == "Linf" else normalize(gradients, norm)
    aimed = project_to_ball(x + per_row(rows.size, x) * uphill, rows.clean, rows.eps, norm)
    rows.x = project_to_ball(x + (aimed - x) * weight + momentum * (1 - weight), rows.clean, rows.eps, norm)
    rows.previous = x


A = TypeVar("A", bound=AscentRows)


class AscentTable(Table[A]):
    """Gradient ascent on the cross-entropy, or on the targeted DLR loss if the component has targets."""

    passes = ("gradient",)
    judged_after = "gradient"

    def _start(self, searches: Sequence[Search]) -> A:
        problem, images = self.problem, self.problem.image_indices(searches)
        noise = problem.noise.directions(searches).to(problem.pixels.device)
        targets = problem.target_classes(searches) if self._targeted else torch.zeros_like(images)
        return self._start_rows(
            problem.pixels[images], problem.labels[images], targets, problem.radii(searches), noise
        )

    @property
    def _targeted(self) -> bool:
        return "targets" in self.stage.component.parameters

    def points(self) -> Tensor:
        """Return the present points."""
        return self.rows.x

    def losses(self, rows: slice, logits: Tensor) -> Tensor:
        """Return the loss to maximize."""
        labels = self.rows.labels[rows]
        if self._targeted:
            return losses.targeted_dlr(logits, labels, self.rows.targets[rows])
        return losses.cross_entropy(logits, labels)

    def update(self, step: StepInput) -> list[bool]:
        """Take a step. A search ends with the pass after its last step."""
        assert step.losses is not None and step.gradients is not None  # noqa: S101, PT018 - a gradient pass
        if starting := [row for row, taken in enumerate(self.steps) if taken == 0]:
            self.counters["flat starts"] += int((step.gradients[starting] == 0).flatten(1).all(1).sum())
        ends = self.ends_now()
        self._advance(step.losses, step.gradients)
        self._count_step()
        return ends

    def ends_now(self) -> list[bool]:
        """Return True for searches at the point of their last step."""
        return [taken + 1 >= self.stage.schedule.forward for taken in self.steps]

    @abstractmethod
    def _start_rows(self, clean: Tensor, labels: Tensor, targets: Tensor, eps: Tensor, noise: Tensor) -> A:
        """Return rows at their random starts."""

    @abstractmethod
    def _advance(self, losses: Tensor, gradients: Tensor) -> None:
        """Move every row to its next point."""


class ApgdTable(AscentTable[ApgdRows]):
    """APGD in Linf and L2."""

    @classmethod
    def schedule(cls, parameters: Parameters) -> Schedule:
        """Return the start and the steps; each takes a gradient pass."""
        return Schedule(parameters["steps"], parameters["steps"] + 1)

    def _start_rows(self, clean: Tensor, labels: Tensor, targets: Tensor, eps: Tensor, noise: Tensor) -> ApgdRows:
        return start_rows(clean, labels, targets, eps, noise, self.problem.norm)

    def _advance(self, losses: Tensor, gradients: Tensor) -> None:
        advance(self.rows, losses, gradients, self.steps, self.stage.schedule.steps, self.problem.norm)

    def save_rows(self) -> dict[str, Tensor]:
        """See Table. In Linf, only the signs of gradients are used."""
        rows = super().save_rows()
        if self.problem.norm == "Linf":
            rows["best_gradient"] = rows["best_gradient"].sign().to(torch.int8)
        return rows

    def load_rows(self, searches: list[Search], steps: list[int], rows: dict[str, Tensor]) -> None:
        """See Table."""
        super().load_rows(searches, steps, {**rows, "best_gradient": rows["best_gradient"].float()})

    def row_type(self) -> type[ApgdRows]:
        """Return the class of the rows."""
        return ApgdRows
