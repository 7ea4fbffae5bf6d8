"""Partial rank correlation: the correlation of two values after adjustment for a third."""

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from aggregate.statistics.arrays import Floats

MIN_MODELS = 6
"""Smallest number of models for a partial correlation. With five models, t has only two degrees of freedom."""


@dataclass(frozen=True)
class PartialCorrelation:
    """A partial rank correlation and its two-sided p value; both are None if `note` gives a reason."""

    r: float | None = None
    p: float | None = None
    note: str = ""


def compute_partial(x: Floats, y: Floats, control: Floats) -> PartialCorrelation:
    """Return Spearman's partial correlation of x and y given a control variable.

    r = (r_xy - r_xz r_yz) / sqrt((1 - r_xz^2)(1 - r_yz^2)), computed on ranks. The p value is that of
    t = r sqrt((n - 3) / (1 - r^2)) with n - 3 degrees of freedom.

    Args:
        x: Shape (n,), finite and not constant.
        y: Shape (n,), finite and not constant.
        control: Shape (n,), the variable z to adjust for. Here it is clean accuracy, which the notes name.

    Returns:
        The correlation, or a reason why it cannot be computed.

    Reference:
        Kendall 1942, Biometrika 32, 277-283; Kim 2015, CSAM 22(6), 665-674, equation 2.5.
    """
    n = len(x)
    if n < MIN_MODELS:
        return PartialCorrelation(note=f"a partial correlation needs at least {MIN_MODELS} models")
    if unknown := int((~np.isfinite(control)).sum()):
        return PartialCorrelation(note=f"clean accuracy is unknown for {unknown} of {n} models")
    if np.ptp(control) <= 1e-12:
        return PartialCorrelation(note=f"clean accuracy is the same for all {n} models")
    ranks = [stats.rankdata(values) for values in (x, y, control)]
    (_, xy, xz), (_, _, yz), _ = np.corrcoef(ranks)
    if 1 - abs(yz) < 1e-9:
        return PartialCorrelation(note="robust accuracy and clean accuracy rank the models identically")
    if 1 - abs(xz) < 1e-9:
        return PartialCorrelation(note="the score and clean accuracy rank the models identically")
    r = max(-1.0, min(1.0, float((xy - xz * yz) / math.sqrt((1 - xz**2) * (1 - yz**2)))))
    # A permutation test of n models cannot give a p value below that of one order among n!.
    smallest_p = 2 / math.factorial(n) if n <= 170 else 0.0
    t = r * math.sqrt((n - 3) / max(1 - r * r, 1e-300))
    return PartialCorrelation(r, max(smallest_p, 2 * float(stats.t.sf(abs(t), n - 3))))
