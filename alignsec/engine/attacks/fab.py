"""FAB: the nearest point across the decision boundary to one target class.

A step takes two passes: one with the gradient at the present point, and one without to see if the new point is
across the boundary. On the measured networks, 96 to 99 % of the new points are across, and are then pulled back. A
gradient at the new point would therefore nearly always be wasted.

Reference: Croce & Hein 2020 (arXiv 1907.02044).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from alignsec.engine.attacks import losses
from alignsec.engine.attacks.projection import project
from alignsec.engine.norms import Rows, length, per_row
from alignsec.engine.search import Schedule, Search
from alignsec.engine.table import StepInput, Table
from alignsec.spec.components import Norm, Parameters

_OVERSHOOT = 1.05
_BACKWARD = 0.9
"""Share of its distance from the clean image that a point across the boundary keeps."""
_MAX_BIAS = 0.1
"""Largest weight of the clean image's projection against the point's own."""


@dataclass
class FabRows(Rows):
    """State of each search. Images are N x C x H x W, the rest N."""

    clean: Tensor
    labels: Tensor
    targets: Tensor
    x: Tensor


def take_step(rows: FabRows, gaps: Tensor, gradients: Tensor, norm: Norm) -> Tensor:
    """Return the next points.

    Args:
        rows: The searches.
        gaps: Target logit minus label logit at `rows.x`, N.
        gradients: Gradients of the gaps, N x C x H x W.
        norm: Norm whose distance the search minimizes.
    """
    x, clean, weights = rows.x.flatten(1), rows.clean.flatten(1), gradients.flatten(1)
    gaps_of_clean = gaps + (weights * (clean - x)).sum(1)
    moves = project(torch.cat([x, clean]), weights.repeat(2, 1), torch.cat([gaps, gaps_of_clean]), norm)
    own, of_clean = length(moves, norm).clamp(min=1e-8).chunk(2)
    bias = (own / (own + of_clean)).clamp(0, _MAX_BIAS).unsqueeze(1)
    move, move_of_clean = moves.chunk(2)
    there = (x + _OVERSHOOT * move) * (1 - bias) + (clean + _OVERSHOOT * move_of_clean) * bias
    return there.clamp(0, 1).view_as(rows.x)


def pull_back(x: Tensor, clean: Tensor, across: Tensor) -> Tensor:
    """Return the points, those that are across the boundary (bool N) moved towards their clean images."""
    return torch.where(per_row(across, x), clean + (x - clean) * _BACKWARD, x)


class FabTable(Table[FabRows]):
    """FAB towards one target class per search, for all budgets at once.

    As in the reference, only new points count, not the points that were pulled back.
    """

    passes = ("gradient", "forward")
    judged_after = "forward"

    @classmethod
    def schedule(cls, parameters: Parameters) -> Schedule:
        """Return the steps; each takes a gradient pass and a forward pass."""
        return Schedule(parameters["steps"], 2 * parameters["steps"])

    def _start(self, searches: Sequence[Search]) -> FabRows:
        images = self.problem.image_indices(searches)
        clean = self.problem.pixels[images]
        return FabRows(clean, self.problem.labels[images], self.problem.target_classes(searches), clean)

    def points(self) -> Tensor:
        """Return the present points."""
        return self.rows.x

    def losses(self, rows: slice, logits: Tensor) -> Tensor:
        """Return the target logit minus the label logit."""
        return -losses.gap(logits, self.rows.labels[rows], self.rows.targets[rows])

    def update(self, step: StepInput) -> list[bool]:
        """Take a step, or pull back points that are across. A search ends after its last step was judged."""
        rows = self.rows
        if step.losses is not None and step.gradients is not None:
            rows.x = take_step(rows, step.losses, step.gradients, self.problem.norm)
            self._count_step()
            return [False] * len(self.steps)
        rows.x = pull_back(rows.x, rows.clean, step.logits.argmax(1) != rows.labels)
        return self.ends_now()

    def ends_now(self) -> list[bool]:
        """Return True for searches at the point of their last step."""
        return [taken >= self.stage.schedule.steps for taken in self.steps]

    def row_type(self) -> type[FabRows]:
        """Return the class of the rows."""
        return FabRows
