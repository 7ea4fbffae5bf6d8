"""FAB: the nearest point across the boundary to one target class (Croce & Hein 2020, arXiv 1907.02044).

A step takes two passes: one with the gradient where it stands, and one without to see whether the new point lies
across the boundary. On the networks measured 96 to 99 % of the new points do, and are then pulled back; so a
gradient asked for at the new point at once would nearly always be thrown away.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from alignsec.engine.attacks import losses
from alignsec.engine.attacks.projection import project
from alignsec.engine.norms import Rows, length, spread
from alignsec.engine.search import Schedule, Search
from alignsec.engine.table import StepInput, Table
from alignsec.spec.components import Norm, Parameters

_OVERSHOOT = 1.05
_BACKWARD = 0.9
"""How much of its way from the clean image a point that has crossed keeps."""
_BIAS = 0.1
"""Most weight that the clean image's projection gets against the point's own."""


@dataclass
class FabRows(Rows):
    """Where each search stands. Images N x C x H x W, the rest N."""

    clean: Tensor
    labels: Tensor
    targets: Tensor
    x: Tensor


def start(clean: Tensor, labels: Tensor, targets: Tensor) -> FabRows:
    """Searches at their clean images."""
    return FabRows(clean, labels, targets, clean)


def retreat(x: Tensor, clean: Tensor, across: Tensor) -> Tensor:
    """Pull the points that lie across the boundary (bool N) back towards their clean images."""
    return torch.where(spread(across, x), clean + (x - clean) * _BACKWARD, x)


def step(rows: FabRows, gaps: Tensor, gradients: Tensor, norm: Norm) -> Tensor:
    """The next points from gaps, N, target logit minus label logit, and their gradients at rows.x."""
    x, clean, weights = rows.x.flatten(1), rows.clean.flatten(1), gradients.flatten(1)
    gaps_of_clean = gaps + (weights * (clean - x)).sum(1)
    moves = project(torch.cat([x, clean]), weights.repeat(2, 1), torch.cat([gaps, gaps_of_clean]), norm)
    own, of_clean = length(moves, norm).clamp(min=1e-8).chunk(2)
    bias = (own / (own + of_clean)).clamp(0, _BIAS).unsqueeze(1)
    move, move_of_clean = moves.chunk(2)
    there = (x + _OVERSHOOT * move) * (1 - bias) + (clean + _OVERSHOOT * move_of_clean) * bias
    return there.clamp(0, 1).view_as(rows.x)


class FabTable(Table[FabRows]):
    """FAB towards one target class each, for all budgets at once.

    Each step takes the gradient where it stands and then a look at the new point. As in the reference, only new
    points count, none that was pulled back.
    """

    passes = ("gradient", "forward")
    judged_after = "forward"

    @classmethod
    def schedule(cls, parameters: Parameters) -> Schedule:
        """Return the steps; each takes a gradient pass and a forward pass."""
        return Schedule(parameters["steps"], 2 * parameters["steps"])

    def _begin(self, searches: Sequence[Search]) -> FabRows:
        images = self.ground.images_of(searches)
        return start(self.ground.pixels[images], self.ground.labels[images], self.ground.targets_of(searches))

    def points(self) -> Tensor:
        """Where the rows stand."""
        return self.rows.x

    def losses(self, rows: slice, logits: Tensor) -> Tensor:
        """Target logit minus label logit."""
        return -losses.gap(logits, self.rows.labels[rows], self.rows.targets[rows])

    def learn(self, lesson: StepInput) -> list[bool]:
        """Step, or pull back what has crossed; a search ends when its last step is looked at."""
        rows = self.rows
        if lesson.losses is not None and lesson.gradients is not None:
            rows.x = step(rows, lesson.losses, lesson.gradients, self.ground.norm)
            self._step()
            return [False] * len(self.steps)
        rows.x = retreat(rows.x, rows.clean, lesson.logits.argmax(1) != rows.labels)
        return self.ending()

    def ending(self) -> list[bool]:
        """After the look at the last step's point."""
        return [step >= self.stage.schedule.steps for step in self.steps]

    def row_type(self) -> type[FabRows]:
        """FAB's."""
        return FabRows
