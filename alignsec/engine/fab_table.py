"""The table of FAB-T."""

from collections.abc import Sequence

import torch
from torch import Tensor

from alignsec.engine import fab, losses
from alignsec.engine.course import Search
from alignsec.engine.fab import FabRows
from alignsec.engine.table import Kind, Seen, Table


class FabTable(Table[FabRows]):
    """FAB towards one target class each, for all budgets at once."""

    def _begin(self, searches: Sequence[Search]) -> FabRows:
        images = self.ground.images_of(searches)
        return fab.start(self.ground.pixels[images], self.ground.labels[images], self.ground.targets_of(searches))

    def due(self, kind: Kind) -> Tensor:
        """A new point is looked at first; then the gradient is taken."""
        if not self.searches:
            return self._all()
        fresh = self.rows.fresh
        return (fresh if kind == "forward" else ~fresh).nonzero().squeeze(1)

    def points(self, index: Tensor) -> Tensor:
        """Where the rows stand."""
        return self.rows.x[index]

    def losses(self, index: Tensor, logits: Tensor) -> Tensor:
        """Target logit minus label logit."""
        return -losses.gap(logits, self.rows.labels[index], self.rows.targets[index])

    def candidates(self, index: Tensor) -> Tensor:
        """As in the reference, points that were pulled back do not count."""
        return self.rows.fresh[index]

    def learn(self, seen: Seen) -> Tensor:
        """Pull back what has crossed, or step."""
        rows, index = self.rows, seen.index
        looked = rows.taken(index)
        if seen.losses is None or seen.gradients is None:
            there = fab.retreat(looked.x, looked.clean, seen.misclassified)
        else:
            there = fab.step(looked, seen.losses, seen.gradients, self.ground.norm)
            rows.step = rows.step.index_add(0, index, torch.ones_like(index))
        rows.x = rows.x.index_copy(0, index, there)
        rows.fresh = rows.fresh.index_fill(0, index, seen.gradients is not None)
        return (rows.step >= self.stage.steps) & ~rows.fresh

    def steps(self) -> list[int]:
        """Steps so far."""
        return self.rows.step.tolist()

    def row_type(self) -> type[FabRows]:
        """FAB's."""
        return FabRows
