"""The table of FAB-T."""

from collections.abc import Sequence

from torch import Tensor

from alignsec.engine import fab, losses
from alignsec.engine.course import Search
from alignsec.engine.fab import FabRows
from alignsec.engine.table import Lesson, Table


class FabTable(Table[FabRows]):
    """FAB towards one target class each, for all budgets at once.

    Each step takes the gradient where it stands and then a look at the new point. As in the reference, only new
    points count, none that was pulled back.
    """

    passes = ("gradient", "forward")
    judged_after = "forward"

    def _begin(self, searches: Sequence[Search]) -> FabRows:
        images = self.ground.images_of(searches)
        return fab.start(self.ground.pixels[images], self.ground.labels[images], self.ground.targets_of(searches))

    def points(self) -> Tensor:
        """Where the rows stand."""
        return self.rows.x

    def losses(self, rows: slice, logits: Tensor) -> Tensor:
        """Target logit minus label logit."""
        return -losses.gap(logits, self.rows.labels[rows], self.rows.targets[rows])

    def learn(self, lesson: Lesson) -> list[bool]:
        """Step, or pull back what has crossed; a search ends when its last step is looked at."""
        rows = self.rows
        if lesson.losses is not None and lesson.gradients is not None:
            rows.x = fab.step(rows, lesson.losses, lesson.gradients, self.ground.norm)
            self._step()
            return [False] * len(self.steps)
        rows.x = fab.retreat(rows.x, rows.clean, lesson.logits.argmax(1) != rows.labels)
        return self.ending()

    def ending(self) -> list[bool]:
        """After the look at the last step's point."""
        return [step >= self.stage.steps for step in self.steps]

    def row_type(self) -> type[FabRows]:
        """FAB's."""
        return FabRows
