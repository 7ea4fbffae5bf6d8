"""APGD: gradient ascent whose step is halved when it stops paying (Croce & Hein 2020, arXiv 2003.01690).

For Linf and L2; alignsec.engine.attacks.apgd_l1 is that of L1.
"""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import torch
from torch import Tensor

from alignsec.engine.attacks import losses
from alignsec.engine.norms import Rows, into_ball, spread, unit
from alignsec.engine.search import Schedule, Search
from alignsec.engine.table import StepInput, Table
from alignsec.spec.components import Norm, Parameters

_RHO = 0.75
"""A stretch in which fewer steps than this share raised the loss ends with a shorter step."""
_PULL = 0.75
"""Weight of the gradient step against momentum."""


@dataclass
class ClimbRows(Rows):
    """Where each search stands, whatever the norm. Images N x C x H x W, the rest N."""

    clean: Tensor
    labels: Tensor
    targets: Tensor
    eps: Tensor
    x: Tensor
    """The point whose logits are wanted next."""
    best: Tensor
    best_gradient: Tensor
    size: Tensor
    """Of the next step."""
    best_loss: Tensor

    def remember(self, losses: Tensor, gradients: Tensor, first: Tensor) -> None:
        """Keep x where its loss is the highest so far; first: rows, bool N, for which there is no so far."""
        better = first | (losses > self.best_loss)
        self.best = torch.where(spread(better, self.x), self.x, self.best)
        self.best_gradient = torch.where(spread(better, self.x), gradients, self.best_gradient)
        self.best_loss = torch.where(better, losses, self.best_loss)


@dataclass
class ApgdRows(ClimbRows):
    """Where a search in Linf or L2 stands."""

    previous: Tensor
    last_loss: Tensor
    loss_at_check: Tensor
    rises: Tensor
    """Steps since the last check that raised the loss."""
    halved: Tensor
    """Whether the last check halved the step."""


def start(clean: Tensor, labels: Tensor, targets: Tensor, eps: Tensor, noise: Tensor, norm: Norm) -> ApgdRows:
    """Searches at their random starts: noise N x C x H x W scaled to the budget."""
    x = (clean + spread(eps, clean) * unit(noise, norm)).clamp(0, 1)
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
def checkpoints(steps: int) -> tuple[int, ...]:
    """For each pass, start included: how many steps the check after it looks back on, 0 where there is none."""
    stretch, shortest, shrink = (max(int(share * steps), 1) for share in (0.22, 0.06, 0.03))
    looks = [0] * (steps + 1)
    at = stretch
    while at <= steps:
        looks[at] = stretch
        stretch = max(stretch - shrink, shortest)
        at += stretch
    return tuple(looks)


def advance(
    rows: ApgdRows, losses: Tensor, gradients: Tensor, taken: Sequence[int], steps: int, norm: Norm
) -> None:
    """Learn the losses, N, and gradients at rows.x, and move on to the next point.

    taken: steps that led each row to x, 0 at its start, of all `steps`.
    """
    first = torch.tensor([step == 0 for step in taken], device=losses.device)
    rows.remember(losses, gradients, first)
    rows.loss_at_check = torch.where(first, losses, rows.loss_at_check)
    # The reference compares the first step's loss with 0, not with the start's.
    rows.rises = rows.rises + (~first & (losses > rows.last_loss))
    rows.last_loss = torch.where(first, 0.0, losses)

    x, gradients = _check(rows, gradients, [checkpoints(steps)[step] for step in taken])
    _move(rows, x, gradients, first, norm)


def _check(rows: ApgdRows, gradients: Tensor, looks: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Halve the step of searches that have stalled and send them back to their best point."""
    if not any(looks):
        return rows.x, gradients
    look = torch.tensor(looks, device=gradients.device)
    due = look > 0
    wavering = rows.rises <= look * _RHO
    no_better = ~rows.halved & (rows.loss_at_check >= rows.best_loss)
    halve = due & (wavering | no_better)
    rows.halved = torch.where(due, halve, rows.halved)
    rows.loss_at_check = torch.where(due, rows.best_loss, rows.loss_at_check)
    rows.rises = torch.where(due, 0.0, rows.rises)
    rows.size = torch.where(halve, rows.size / 2, rows.size)
    back = spread(halve, rows.x)
    return torch.where(back, rows.best, rows.x), torch.where(back, rows.best_gradient, gradients)


def _move(rows: ApgdRows, x: Tensor, gradients: Tensor, first: Tensor, norm: Norm) -> None:
    """One ascent step, then momentum, each inside the ball and the box."""
    momentum = x - rows.previous
    pull = spread(torch.where(first, 1.0, _PULL), x)
    uphill = gradients.sign() if norm == "Linf" else unit(gradients, norm)
    aimed = into_ball(x + spread(rows.size, x) * uphill, rows.clean, rows.eps, norm)
    rows.x = into_ball(x + (aimed - x) * pull + momentum * (1 - pull), rows.clean, rows.eps, norm)
    rows.previous = x


C = TypeVar("C", bound=ClimbRows)


class ClimbTable(Table[C]):
    """Gradient ascent on the cross-entropy, or on the targeted DLR loss."""

    passes = ("gradient",)
    judged_after = "gradient"

    def _begin(self, searches: Sequence[Search]) -> C:
        ground, images = self.ground, self.ground.images_of(searches)
        noise = ground.noise.start(searches).to(ground.pixels.device)
        targets = ground.targets_of(searches) if self._targeted else torch.zeros_like(images)
        return self._start(ground.pixels[images], ground.labels[images], targets, ground.eps_of(searches), noise)

    @property
    def _targeted(self) -> bool:
        return "targets" in self.stage.component.parameters

    def points(self) -> Tensor:
        """Where the rows stand."""
        return self.rows.x

    def losses(self, rows: slice, logits: Tensor) -> Tensor:
        """The loss to climb."""
        labels = self.rows.labels[rows]
        if self._targeted:
            return losses.targeted_dlr(logits, labels, self.rows.targets[rows])
        return losses.cross_entropy(logits, labels)

    def learn(self, lesson: StepInput) -> list[bool]:
        """Climb; a search ends with the pass after its last step."""
        assert lesson.losses is not None and lesson.gradients is not None  # noqa: S101, PT018 - a gradient pass
        if starting := [row for row, step in enumerate(self.steps) if step == 0]:
            self.facts["flat starts"] += int((lesson.gradients[starting] == 0).flatten(1).all(1).sum())
        ends = self.ending()
        self._advance(lesson.losses, lesson.gradients)
        self._step()
        return ends

    def ending(self) -> list[bool]:
        """After the pass at the last step's point."""
        return [step + 1 >= self.stage.schedule.forward for step in self.steps]

    @abstractmethod
    def _start(self, clean: Tensor, labels: Tensor, targets: Tensor, eps: Tensor, noise: Tensor) -> C:
        """Rows at their random starts."""

    @abstractmethod
    def _advance(self, losses: Tensor, gradients: Tensor) -> None:
        """Move every row on."""


class ApgdTable(ClimbTable[ApgdRows]):
    """APGD in Linf and L2."""

    @classmethod
    def schedule(cls, parameters: Parameters) -> Schedule:
        """Return the start and the steps; each takes a gradient pass."""
        return Schedule(parameters["steps"], parameters["steps"] + 1)

    def _start(self, clean: Tensor, labels: Tensor, targets: Tensor, eps: Tensor, noise: Tensor) -> ApgdRows:
        return start(clean, labels, targets, eps, noise, self.ground.norm)

    def _advance(self, losses: Tensor, gradients: Tensor) -> None:
        advance(self.rows, losses, gradients, self.steps, self.stage.schedule.steps, self.ground.norm)

    def stored(self) -> dict[str, Tensor]:
        """As every table; of gradients in Linf, only the signs are ever looked at."""
        rows = super().stored()
        if self.ground.norm == "Linf":
            rows["best_gradient"] = rows["best_gradient"].sign().to(torch.int8)
        return rows

    def revive(self, searches: list[Search], steps: list[int], rows: dict[str, Tensor]) -> None:
        """As every table."""
        super().revive(searches, steps, {**rows, "best_gradient": rows["best_gradient"].float()})

    def row_type(self) -> type[ApgdRows]:
        """APGD's."""
        return ApgdRows
