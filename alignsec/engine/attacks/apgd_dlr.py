"""APGD-DLR: APGD on the difference of logits ratio, without a target class.

Reference: Croce & Hein 2020 (arXiv 2003.01690), eq. 7.
"""

from torch import Tensor

from alignsec.engine.attacks import losses
from alignsec.engine.attacks.apgd import ApgdTable
from alignsec.engine.attacks.apgd_l1 import ApgdL1Table


class ApgdDlrTable(ApgdTable):
    """APGD-DLR in Linf and L2."""

    def losses(self, rows: slice, logits: Tensor) -> Tensor:
        """Return the loss to maximize."""
        return losses.dlr(logits, self.rows.labels[rows])


class ApgdDlrL1Table(ApgdL1Table):
    """APGD-DLR in L1."""

    def losses(self, rows: slice, logits: Tensor) -> Tensor:
        """Return the loss to maximize."""
        return losses.dlr(logits, self.rows.labels[rows])
