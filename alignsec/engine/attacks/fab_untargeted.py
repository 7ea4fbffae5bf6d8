"""Untargeted FAB: the nearest point across the boundary to any of the most likely classes.

A step needs the gradient of every candidate class. Each round of the engine computes one of them; the nearest
boundary so far is kept. The first pass at a new point also judges it.

Reference: Croce & Hein 2020 (arXiv 1907.02044).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from alignsec.engine.attacks import losses
from alignsec.engine.attacks.fab import FabRows, pull_back, take_step
from alignsec.engine.norms import length, per_row
from alignsec.engine.search import Schedule, Search
from alignsec.engine.table import StepInput, Table
from alignsec.spec.components import Norm, Parameters

_DUAL: dict[Norm, Norm] = {"Linf": "L1", "L2": "L2", "L1": "Linf"}
"""Norm of the gradient by which a gap of logits becomes a distance."""


@dataclass
class FabUntargetedRows(FabRows):
    """State of each search. `targets` is the class of the coming gradient, N."""

    image: Tensor
    """Index of the image in the problem."""
    rank: Tensor
    """Rank of the class of the coming gradient."""
    fresh: Tensor
    """True if the coming pass is the first one at a point that a step has reached."""
    distance: Tensor
    """Distance of the nearest boundary so far, to first order."""
    gap: Tensor
    """Its class's logit minus that of the label."""
    gradient: Tensor
    """The gradient of the gap, N x C x H x W."""


class FabUntargetedTable(Table[FabUntargetedRows]):
    """FAB without a target class, with random starts after the first."""

    passes = ("gradient",)
    judged_after = "gradient"

    @classmethod
    def schedule(cls, parameters: Parameters) -> Schedule:
        """Return the steps; each takes a gradient pass for each candidate class, and at most one that judges."""
        return Schedule(parameters["steps"], (parameters["candidates"] + 1) * parameters["steps"] + 1)

    def _start(self, searches: Sequence[Search]) -> FabUntargetedRows:
        problem, images = self.problem, self.problem.image_indices(searches)
        clean, zero = problem.pixels[images], torch.zeros_like(images)
        flat = torch.zeros(len(searches), device=clean.device)
        return FabUntargetedRows(
            clean=clean,
            labels=problem.labels[images],
            targets=problem.ranking[images, -2],
            x=self._find_starts(searches, clean),
            image=images,
            rank=zero,
            fresh=zero.bool(),
            distance=flat + torch.inf,
            gap=flat,
            gradient=torch.zeros_like(clean),
        )

    def _find_starts(self, searches: Sequence[Search], clean: Tensor) -> Tensor:
        """Return the clean image for the first start, and points at half of eps for the others."""
        again = [row for row, search in enumerate(searches) if search.restart > 0]
        if not again:
            return clean
        chosen = [searches[row] for row in again]
        noise = self.problem.noise.directions(chosen).to(clean.device)
        radii = per_row(self.problem.radii(chosen), noise)
        away = radii * noise / per_row(length(noise, self.problem.norm), noise) * 0.5
        at = torch.tensor(again, device=clean.device)
        return clean.index_copy(0, at, (clean[at] + away).clamp(0, 1))

    def points(self) -> Tensor:
        """Return the present points."""
        return self.rows.x

    def losses(self, rows: slice, logits: Tensor) -> Tensor:
        """Return the logit of the present class minus the label logit."""
        return -losses.gap(logits, self.rows.labels[rows], self.rows.targets[rows])

    def counts_now(self) -> list[bool]:
        """Return True for points that a step has just reached; points pulled back do not count."""
        fresh: list[bool] = self.rows.fresh.tolist()
        return fresh

    def ends_now(self) -> list[bool]:
        """Return True for searches at the point of their last step."""
        last = self.stage.schedule.steps
        return [new and taken >= last for new, taken in zip(self.counts_now(), self.steps, strict=True)]

    def update(self, step: StepInput) -> list[bool]:
        """Pull back points that are across; keep the nearest boundary; step after the last class."""
        assert step.losses is not None and step.gradients is not None  # noqa: S101, PT018 - a gradient pass
        rows, norm, ends = self.rows, self.problem.norm, self.ends_now()
        across = rows.fresh & (step.logits.argmax(1) != rows.labels)
        rows.x = pull_back(rows.x, rows.clean, across)
        rows.fresh = torch.zeros_like(rows.fresh)
        away = step.losses.abs() / (1e-12 + length(step.gradients, _DUAL[norm]))
        nearer = ~across & (away < rows.distance)
        rows.distance = torch.where(nearer, away, rows.distance)
        rows.gap = torch.where(nearer, step.losses, rows.gap)
        rows.gradient = torch.where(per_row(nearer, rows.gradient), step.gradients, rows.gradient)
        rows.rank = rows.rank + (~across).long()
        self._move(rows.rank >= self.stage.candidates)
        rows.targets = self.problem.ranking[rows.image, -2 - rows.rank]
        return ends

    def _move(self, due: Tensor) -> None:
        """Take a step in the rows that have seen every candidate class, bool N."""
        rows = self.rows
        moved: list[bool] = due.tolist()
        if any(moved):
            reached = take_step(rows, rows.gap, rows.gradient, self.problem.norm)
            rows.x = torch.where(per_row(due, rows.x), reached, rows.x)
            rows.fresh, rows.rank = due, torch.where(due, 0, rows.rank)
            rows.distance = torch.where(due, torch.inf, rows.distance)
            self.steps = [taken + is_moved for taken, is_moved in zip(self.steps, moved, strict=True)]

    def row_type(self) -> type[FabUntargetedRows]:
        """Return the class of the rows."""
        return FabUntargetedRows
