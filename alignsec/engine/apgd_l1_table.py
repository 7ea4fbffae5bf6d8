"""The tables of APGD-CE and APGD-T in L1."""

from torch import Tensor

from alignsec.engine import apgd_l1
from alignsec.engine.apgd_l1 import ApgdL1Rows
from alignsec.engine.apgd_table import ClimbTable


class ApgdL1Table(ClimbTable[ApgdL1Rows]):
    """APGD through three balls, of which the last one counts."""

    def _start(self, clean: Tensor, labels: Tensor, targets: Tensor, eps: Tensor, noise: Tensor) -> ApgdL1Rows:
        return apgd_l1.start(clean, labels, targets, eps, noise)

    def _advance(self, losses: Tensor, gradients: Tensor) -> None:
        apgd_l1.advance(self.rows, losses, gradients, self.steps, self.stage.steps)

    def points(self) -> Tensor:
        """Where the rows stand, less the rounding errors outside the box."""
        return self.rows.x.clamp(0, 1)

    def counting(self) -> list[bool]:
        """Points in larger balls only show the way."""
        first = self.stage.counts_from
        return [step >= first for step in self.steps]

    def row_type(self) -> type[ApgdL1Rows]:
        """APGD's in L1."""
        return ApgdL1Rows
