"""The tables of APGD-CE and APGD-T."""

from collections.abc import Sequence

import torch
from torch import Tensor

from alignsec.engine import apgd, losses
from alignsec.engine.apgd import ApgdRows
from alignsec.engine.course import Search
from alignsec.engine.table import Lesson, Table


class ApgdTable(Table[ApgdRows]):
    """APGD on the cross-entropy, or on the targeted DLR loss."""

    passes = ("gradient",)
    judged_after = "gradient"

    def _begin(self, searches: Sequence[Search]) -> ApgdRows:
        ground, images = self.ground, self.ground.images_of(searches)
        noise = ground.noise.start(searches).to(ground.pixels.device)
        targets = ground.targets_of(searches) if self._targeted else torch.zeros_like(images)
        clean, labels = ground.pixels[images], ground.labels[images]
        return apgd.start(clean, labels, targets, ground.eps_of(searches), noise, ground.norm)

    @property
    def _targeted(self) -> bool:
        return self.stage.component == "apgd-t"

    def points(self) -> Tensor:
        """Where the rows stand."""
        return self.rows.x

    def losses(self, rows: slice, logits: Tensor) -> Tensor:
        """The loss to climb."""
        labels = self.rows.labels[rows]
        if self._targeted:
            return losses.targeted_dlr(logits, labels, self.rows.targets[rows])
        return losses.cross_entropy(logits, labels)

    def learn(self, lesson: Lesson) -> list[bool]:
        """Climb; a search ends with the pass after its last step."""
        assert lesson.losses is not None and lesson.gradients is not None  # noqa: S101, PT018 - a gradient pass
        if starting := [row for row, step in enumerate(self.steps) if step == 0]:
            self.facts["flat starts"] += int((lesson.gradients[starting] == 0).flatten(1).all(1).sum())
        apgd.advance(self.rows, lesson.losses, lesson.gradients, self.stage.steps, self.ground.norm)
        self._step()
        return [step > self.stage.steps for step in self.steps]

    def row_type(self) -> type[ApgdRows]:
        """APGD's."""
        return ApgdRows
