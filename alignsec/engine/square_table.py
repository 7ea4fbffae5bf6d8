"""The table of Square."""

from collections.abc import Sequence

import torch
from torch import Tensor

from alignsec.engine import losses, noise, square
from alignsec.engine.course import Search
from alignsec.engine.square import SquareRows
from alignsec.engine.table import Kind, Seen, Table


class SquareTable(Table[SquareRows]):
    """Square on the margin loss."""

    def _begin(self, searches: Sequence[Search]) -> SquareRows:
        ground, images = self.ground, self.ground.images_of(searches)
        device, clean = ground.pixels.device, ground.pixels[images]
        each = noise.per_step(clean.shape[1:], ground.norm)
        numbers = torch.zeros(len(images), ground.noise.chunk, each, device=device)
        drawn = ground.noise.square_start(searches).to(device)
        return square.start(clean, ground.labels[images], ground.eps_of(searches), drawn, numbers, ground.norm)

    def due(self, kind: Kind) -> Tensor:
        """Every row wants its logits and no gradient."""
        return self._all() if kind == "forward" else self._all()[:0]

    def points(self, index: Tensor) -> Tensor:
        """A new square on each best point; the start as it is."""
        rows, steps = self.rows, self.steps()
        if any(steps):
            chunk = rows.numbers.shape[1]
            self._draw([row for row, step in enumerate(steps) if step and (step - 1) % chunk == 0], steps)
            square.move(rows, steps, self.ground.norm)
        return rows.x

    def _draw(self, due: list[int], steps: list[int]) -> None:
        """Fresh numbers for rows that have used theirs up."""
        if due:
            searches = [self.searches[row] for row in due]
            drawn = self.ground.noise.square_steps(searches, [steps[row] for row in due])
            at = torch.tensor(due, device=self.rows.numbers.device)
            self.rows.numbers = self.rows.numbers.index_copy(0, at, drawn.to(at.device))

    def losses(self, index: Tensor, logits: Tensor) -> Tensor:
        """The margin, of which no gradient is ever asked."""
        return losses.margin(logits, self.rows.labels[index])

    def candidates(self, index: Tensor) -> Tensor:
        """Every point counts."""
        return torch.ones_like(index, dtype=torch.bool)

    def learn(self, seen: Seen) -> Tensor:
        """Keep what helped. As in the reference, a search also ends on a tie that still goes to the label."""
        rows = self.rows
        square.learn(rows, self.losses(seen.index, seen.logits))
        return (rows.step > self.stage.steps) | (rows.margin == 0)

    def steps(self) -> list[int]:
        """Steps so far."""
        return self.rows.step.tolist()

    def row_type(self) -> type[SquareRows]:
        """Square's."""
        return SquareRows
