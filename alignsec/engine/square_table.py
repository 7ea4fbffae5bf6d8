"""The table of Square."""

from collections.abc import Sequence

import torch
from torch import Tensor

from alignsec.engine import losses, noise, square
from alignsec.engine.course import Search
from alignsec.engine.square import SquareRows
from alignsec.engine.table import Lesson, Table


class SquareTable(Table[SquareRows]):
    """Square on the margin loss."""

    passes = ("forward",)
    judged_after = "forward"

    def _begin(self, searches: Sequence[Search]) -> SquareRows:
        ground, images = self.ground, self.ground.images_of(searches)
        device, clean = ground.pixels.device, ground.pixels[images]
        each = noise.per_step(clean.shape[1:], ground.norm)
        numbers = torch.zeros(len(images), ground.noise.chunk, each, device=device)
        drawn = ground.noise.square_start(searches).to(device)
        return square.start(clean, ground.labels[images], ground.eps_of(searches), drawn, numbers, ground.norm)

    def points(self) -> Tensor:
        """A new square on each best point; the start as it is."""
        if any(self.steps):
            self._draw()
            square.move(self.rows, self.steps, self.ground.norm)
        return self.rows.x.clamp(0, 1) if self.ground.norm == "L1" else self.rows.x

    def _draw(self) -> None:
        """Fresh numbers for rows that have used theirs up."""
        chunk = self.rows.numbers.shape[1]
        self._drawn([row for row, step in enumerate(self.steps) if step and (step - 1) % chunk == 0])

    def _drawn(self, due: Sequence[int]) -> None:
        """The numbers of the chunks that some rows are in."""
        if due:
            rows, chunk = self.rows, self.rows.numbers.shape[1]
            firsts = [(self.steps[row] - 1) // chunk * chunk + 1 for row in due]
            drawn = self.ground.noise.square_steps([self.searches[row] for row in due], firsts)
            at = torch.tensor(due, device=rows.numbers.device)
            rows.numbers = rows.numbers.index_copy(0, at, drawn.to(at.device))

    def stored(self) -> dict[str, Tensor]:
        """As every table, less the random numbers and the last point: between passes only the best one counts."""
        return {name: value for name, value in super().stored().items() if name not in {"x", "numbers"}}

    def revive(self, searches: list[Search], steps: list[int], rows: dict[str, Tensor]) -> None:
        """As every table; the numbers are drawn again."""
        clean = rows["clean"]
        each = noise.per_step(clean.shape[1:], self.ground.norm)
        numbers = torch.zeros(len(clean), self.ground.noise.chunk, each, device=clean.device)
        super().revive(searches, steps, {**rows, "x": rows["best"], "numbers": numbers})
        self._drawn([row for row, step in enumerate(steps) if step])

    def losses(self, rows: slice, logits: Tensor) -> Tensor:
        """The margin, of which no gradient is ever asked."""
        return losses.margin(logits, self.rows.labels[rows])

    def learn(self, lesson: Lesson) -> list[bool]:
        """Keep what helped. As in the reference, a search also ends on a tie that still goes to the label."""
        ends = [last or tied for last, tied in zip(self.ending(), lesson.tied, strict=True)]
        square.learn(self.rows, self.losses(slice(None), lesson.logits))
        self._step()
        return ends

    def ending(self) -> list[bool]:
        """After the last query."""
        return [step + 1 >= self.stage.forward for step in self.steps]

    def row_type(self) -> type[SquareRows]:
        """Square's."""
        return SquareRows
