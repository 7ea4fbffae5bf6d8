"""Clean accuracy to adjust for: the published value of each network where there is one, else the measured value.

A published accuracy was counted on the whole test set, so it has almost no sampling error. A measured one was
counted on the study's images, which may be easier or harder than the whole set. That shift is the mean difference
of measured and published accuracies over the networks that have both. It is added to the published values, so that
both kinds can be compared.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from aggregate.statistics.arrays import Floats

MIN_PUBLISHED = 8
"""Networks with a published accuracy that are needed to estimate the shift."""
MEASURED, PUBLISHED = "measured", "published"


@dataclass(frozen=True)
class CleanAccuracy:
    """Clean accuracies of the networks of one budget.

    Attributes:
        values: Accuracies, comparable between networks, shape (networks,).
        exact: Whether the value is published and has no sampling error, shape (networks,).
    """

    values: Floats
    exact: npt.NDArray[np.bool_]

    def describe(self, known: npt.NDArray[np.bool_]) -> str:
        """Return the source of the values of these networks: "published", "measured", or how many of each.

        Args:
            known: The networks that are used, shape (networks,).
        """
        published, total = int(self.exact[known].sum()), int(known.sum())
        if published == 0:
            return MEASURED
        return PUBLISHED if published == total else f"published for {published} of {total}, others measured"


def choose_clean_accuracy(measured: Floats, published: Sequence[float | None], robust: Floats) -> CleanAccuracy:
    """Return the clean accuracy of each network, published where possible.

    Args:
        measured: Measured clean accuracy of each network, shape (networks,); NaN if unknown.
        published: Published accuracy of each network in [0,1]; None if unknown.
        robust: Robust accuracy of each network, shape (networks,). If it equals the measured clean accuracy of all
            networks, the attack is the clean one, and all values are the measured ones.
    """
    known = np.array([np.nan if value is None else value for value in published], dtype=np.float64)
    both = np.isfinite(known) & np.isfinite(measured)
    if both.sum() < MIN_PUBLISHED or np.array_equal(measured, robust, equal_nan=True):
        return CleanAccuracy(measured, np.zeros(len(measured), dtype=bool))
    shift = float((measured[both] - known[both]).mean())
    exact = np.isfinite(known)
    return CleanAccuracy(np.where(exact, known + shift, measured), exact)
