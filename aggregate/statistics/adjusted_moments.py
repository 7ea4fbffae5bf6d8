"""Moments of scores and accuracies, corrected for the sampling error of clean accuracy (errors in variables).

`family_correlation` describes the procedure that uses them.

Reference: Fuller 1987, Measurement Error Models, section 2.2.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from aggregate.statistics.arrays import Floats
from aggregate.statistics.image_error import ImageError

MIN_RELIABILITY = 0.2
"""Smallest reliability of clean accuracy that can be adjusted for; below, its measured values are mostly noise."""


def make_terms(x: Floats, robust: Floats, clean: Floats | None, error: ImageError | None) -> list[Floats]:
    """Return what each model adds to the moments: 13 arrays of shape (models, scores) or (models, 1).

    Args:
        x: Scores, shape (models, scores).
        robust: Robust accuracy, shape (models,).
        clean: Clean accuracy, shape (models,); None for no adjustment, which uses 0.
        error: Error covariance of the accuracies; None for no correction.
    """
    n = len(x)
    zero = np.zeros(n)
    error = error or ImageError(zero, zero, zero)
    y = robust - robust.mean()
    if clean is None:
        c, ecc, ecy = zero, zero, zero
    else:
        c, ecc, ecy = clean - clean.mean(), error.clean, error.both
    one, y, c, ecc, ecy, eyy = (values[:, None] for values in (np.ones(n), y, c, ecc, ecy, error.robust))
    return [one, x, y, c, x * x, y * y, c * c, x * y, x * c, y * c, ecc, ecy, eyy]


def correct_correlation(moments: Sequence[Floats]) -> Floats:
    """Return the corrected correlation of sums of `make_terms`; NaN if `clean` is noise."""
    n, x, y, c, xx, yy, cc, xy, xc, yc, ecc, ecy, eyy = moments
    xx, yy, cc, xy, xc, yc = (
        xx - x * x / n, yy - y * y / n, cc - c * c / n, xy - x * y / n, xc - x * c / n, yc - y * c / n,
    )  # fmt: skip
    g, d = _slopes(cc, ecc, yc - ecy, xc)
    covariance = xy - g * xc - d * yc + g * d * cc + d * (ecy - g * ecc)
    spread_x = xx - 2 * d * xc + d * d * (cc - ecc)
    spread_y = yy - 2 * g * yc + g * g * cc - (eyy - 2 * g * ecy + g * g * ecc)
    # A spread that is all sampling error has no correlation; the floor keeps r finite.
    product = np.maximum(spread_x, 0.05 * xx) * np.maximum(spread_y, 0.05 * yy)
    constant = product <= 0
    r: Floats = np.clip(np.where(constant, 0, covariance) / np.sqrt(np.where(constant, 1, product)), -1, 1)
    return r


def find_contributions(terms: Sequence[Floats], total: Sequence[Floats]) -> Floats:
    """Return what each model adds to the covariance that is left, shape (models, scores)."""
    n, x, y, c, *_ = total
    xs, ys, cs = terms[1] - x / n, terms[2] - y / n, terms[3] - c / n
    ecc, ecy = terms[10], terms[11]
    cc, yc, xc = ((values * cs).sum(axis=0) for values in (cs, ys, xs))
    g, d = _slopes(cc, total[10], yc - total[11], xc)
    found: Floats = (xs - d * cs) * (ys - g * cs) + d * (ecy - g * ecc)
    return found


def _slopes(cc: npt.ArrayLike, ecc: npt.ArrayLike, yc: npt.ArrayLike, xc: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Return the slopes of robust accuracy and score on clean accuracy; NaN if it is too noisy, 0 if constant."""
    cc, ecc, yc, xc = (np.asarray(value, dtype=np.float64) for value in (cc, ecc, yc, xc))
    true = cc - ecc
    usable = np.where((true >= MIN_RELIABILITY * cc) & (true > 0), true, np.nan)
    adjusted = cc > 0
    divisor = np.where(adjusted, usable, 1.0)
    return np.where(adjusted, yc / divisor, 0.0), np.where(adjusted, xc / divisor, 0.0)
