"""Partial correlation: what is left of a rank correlation once a third value is held still."""

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from aggregate.statistics.arrays import Floats

MIN_MODELS = 6
"""Models below which no partial correlation is given: with five, t has two degrees of freedom."""


@dataclass(frozen=True)
class PartialCorrelation:
    """A partial rank correlation and its two-sided p; both None where `note` says why."""

    r: float | None = None
    p: float | None = None
    note: str = ""


def compute_partial(x: Floats, y: Floats, held: Floats) -> PartialCorrelation:
    """Spearman's r of x and y given a third value, all of shape (n,); x and y finite and not constant.

    r = (r_xy - r_xz r_yz) / sqrt((1 - r_xz^2)(1 - r_yz^2)) of ranks, t = r sqrt((n - 3) / (1 - r^2)) with n - 3
    degrees of freedom. Source: Kendall 1942, Biometrika 32, 277-283; Kim 2015, CSAM 22(6), 665-674, equation 2.5.
    """
    n = len(x)
    if n < MIN_MODELS:
        return PartialCorrelation(note=f"given clean accuracy at least {MIN_MODELS} models are needed")
    if unknown := int((~np.isfinite(held)).sum()):
        return PartialCorrelation(note=f"clean accuracy is not known of {unknown} of {n} models")
    if np.ptp(held) <= 1e-12:
        return PartialCorrelation(note=f"clean accuracy is the same for all {n} models")
    ranks = [stats.rankdata(values) for values in (x, y, held)]
    (_, xy, xz), (_, _, yz), _ = np.corrcoef(ranks)
    if 1 - abs(yz) < 1e-9:
        return PartialCorrelation(note="robust accuracy ranks the models just as clean accuracy does")
    if 1 - abs(xz) < 1e-9:
        return PartialCorrelation(note="the score ranks the models just as clean accuracy does")
    r = max(-1.0, min(1.0, float((xy - xz * yz) / math.sqrt((1 - xz**2) * (1 - yz**2)))))
    # As for Spearman's r itself, no p below that of one order among n!.
    floor = 2 / math.factorial(n) if n <= 170 else 0.0
    t = r * math.sqrt((n - 3) / max(1 - r * r, 1e-300))
    return PartialCorrelation(r, max(floor, 2 * float(stats.t.sf(abs(t), n - 3))))
