"""The tables of APGD-CE and APGD-T in Linf and L2, and what those in L1 share with them."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import Tensor

from alignsec.engine import apgd, losses
from alignsec.engine.apgd import ApgdRows, ClimbRows
from alignsec.engine.course import Search
from alignsec.engine.table import Lesson, Table

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
        ends = self.ending()
        self._advance(lesson.losses, lesson.gradients)
        self._step()
        return ends

    def ending(self) -> list[bool]:
        """After the pass at the last step's point."""
        return [step + 1 >= self.stage.forward for step in self.steps]

    @abstractmethod
    def _start(self, clean: Tensor, labels: Tensor, targets: Tensor, eps: Tensor, noise: Tensor) -> C:
        """Rows at their random starts."""

    @abstractmethod
    def _advance(self, losses: Tensor, gradients: Tensor) -> None:
        """Move every row on."""


class ApgdTable(ClimbTable[ApgdRows]):
    """APGD in Linf and L2."""

    def _start(self, clean: Tensor, labels: Tensor, targets: Tensor, eps: Tensor, noise: Tensor) -> ApgdRows:
        return apgd.start(clean, labels, targets, eps, noise, self.ground.norm)

    def _advance(self, losses: Tensor, gradients: Tensor) -> None:
        apgd.advance(self.rows, losses, gradients, self.steps, self.stage.steps, self.ground.norm)

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
