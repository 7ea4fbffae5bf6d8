"""The tables of APGD-CE and APGD-T."""

from collections.abc import Sequence

import torch
from torch import Tensor

from alignsec.engine import apgd, losses
from alignsec.engine.apgd import ApgdRows
from alignsec.engine.course import Search
from alignsec.engine.table import Kind, Seen, Table


class ApgdTable(Table[ApgdRows]):
    """APGD on the cross-entropy, or on the targeted DLR loss."""

    def _begin(self, searches: Sequence[Search]) -> ApgdRows:
        ground, images = self.ground, self.ground.images_of(searches)
        noise = ground.noise.start(searches).to(ground.pixels.device)
        targets = ground.targets_of(searches) if self._targeted else torch.zeros_like(images)
        clean, labels = ground.pixels[images], ground.labels[images]
        return apgd.start(clean, labels, targets, ground.eps_of(searches), noise, ground.norm)

    @property
    def _targeted(self) -> bool:
        return self.stage.component == "apgd-t"

    def due(self, kind: Kind) -> Tensor:
        """Every row wants gradients."""
        return self._all() if kind == "gradient" else self._all()[:0]

    def points(self, index: Tensor) -> Tensor:
        """Where the rows stand."""
        return self.rows.x[index]

    def losses(self, index: Tensor, logits: Tensor) -> Tensor:
        """The loss to climb."""
        labels = self.rows.labels[index]
        if self._targeted:
            return losses.targeted_dlr(logits, labels, self.rows.targets[index])
        return losses.cross_entropy(logits, labels)

    def candidates(self, index: Tensor) -> Tensor:
        """Every point counts."""
        return torch.ones_like(index, dtype=torch.bool)

    def learn(self, seen: Seen) -> Tensor:
        """Climb; a search ends with the pass after its last step."""
        assert seen.losses is not None and seen.gradients is not None  # noqa: S101, PT018 - a gradient pass
        rows = self.rows
        if (starting := rows.step == 0).any():
            self.facts["flat starts"] += int((seen.gradients[starting] == 0).flatten(1).all(1).sum())
        apgd.advance(rows, seen.losses, seen.gradients, self.stage.steps, self.ground.norm)
        return rows.step > self.stage.steps

    def steps(self) -> list[int]:
        """Steps so far."""
        return self.rows.step.tolist()

    def row_type(self) -> type[ApgdRows]:
        """APGD's."""
        return ApgdRows
