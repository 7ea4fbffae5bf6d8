"""Intervals of Pearson's r: a symmetric bootstrap-t of Fisher's z that resamples whole architecture families.

A percentile or BCa interval of r covers 66 to 78 % on skewed data, because r and its standard error depend on each
other. Here each resample is studentised by its own standard error. That is the root of the summed squares of the
families' influence on r, where model i adds

    u v - (u^2 + v^2) r / 2     with u, v the standardised values of the model.

The interval is z +- c s with z Fisher's z, s its standard error and c the 95 % quantile of |z* - z| / s* over the
resamples. docs/statistics.md gives its coverage, which is too low for very skewed values: these have no interval.

Reference: Hall 1988, JRSS B 50, 35-45 (symmetric bootstrap-t); Cameron, Gelbach & Miller 2008, Rev. Econ. Stat.
90, 414-427 (resampling of clusters).
"""

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import stats

from aggregate.statistics.arrays import Floats
from aggregate.statistics.bootstrap import MIN_MODELS, Interval

MIN_FAMILIES = 5
MAX_SKEWNESS = 2.0
"""Largest skewness of a value; above, the interval covers less than 94 %."""
RESAMPLES = 1999
SEED = 20250217


def check_pearson_interval(x: Floats, y: Floats, families: npt.NDArray[np.int64]) -> str:
    """Return the reason why there is no interval; "" if there is one.

    Args:
        x: Score of each model, shape (n,), not constant.
        y: Robust accuracy of each model, shape (n,), not constant.
        families: Family index of each model, shape (n,).
    """
    if len(x) < MIN_MODELS:
        return f"an interval needs at least {MIN_MODELS} models"
    if (present := len(np.unique(families))) < MIN_FAMILIES:
        return f"Pearson's r has no interval with {present} families; at least {MIN_FAMILIES} are needed"
    for name, values in (("score", x), ("robust accuracy", y)):
        skewness = float(stats.skew(values))
        if abs(skewness) > MAX_SKEWNESS:
            return f"Pearson's r has no interval because the {name} is too skewed (skewness {skewness:.1f})"
    return ""


def estimate_pearson_interval(x: Floats, y: Floats, families: npt.NDArray[np.int64]) -> Interval:
    """Return the 95 % interval of Pearson's r, without ends if `check_pearson_interval` gives a reason.

    The ends are also None for a perfect correlation, and if more than a tenth of the resamples are constant.

    Args:
        x: Score of each model, shape (n,), not constant.
        y: Robust accuracy of each model, shape (n,), not constant.
        families: Family index of each model, shape (n,).
    """
    if check_pearson_interval(x, y, families):
        return Interval()
    moments = _family_moments(x, y, np.unique(families, return_inverse=True)[1])
    squares = (moments[:, :, None] * moments[:, None, :]).reshape(len(moments), -1)
    counts = _draw_families(len(moments))
    z, error = (float(value[0]) for value in _studentise(moments.sum(axis=0)[None], squares.sum(axis=0)[None]))
    drawn_z, drawn_error = _studentise(counts @ moments, counts @ squares)
    known = np.isfinite(drawn_z) & (drawn_error > 1e-9)
    if not np.isfinite(z) or error < 1e-9 or known.mean() < 0.9:
        return Interval()
    margin = error * float(np.quantile(np.abs(drawn_z[known] - z) / drawn_error[known], 0.95))
    return Interval(float(np.tanh(z - margin)), float(np.tanh(z + margin)))


@lru_cache(maxsize=8)
def _draw_families(families: int) -> Floats:
    """Return how often each resample draws each family, always the same, shape (RESAMPLES, families)."""
    rng = np.random.default_rng([SEED, families])
    return rng.multinomial(families, np.full(families, 1 / families), size=RESAMPLES).astype(np.float64)


def _family_moments(x: Floats, y: Floats, families: npt.NDArray[np.int64]) -> Floats:
    """Return sums of 1, x, y, x^2, y^2 and xy of each family, of standardised values, shape (families, 6)."""
    x, y = ((values - values.mean()) / values.std() for values in (x, y))
    terms = (np.ones_like(x), x, y, x * x, y * y, x * y)
    return np.stack([np.bincount(families, weights=term) for term in terms], axis=1)


def _studentise(total: Floats, squares: Floats) -> tuple[Floats, Floats]:
    """Return Fisher's z and its standard error of each resample; NaN where a resample is constant or perfect.

    Args:
        total: Sums of `_family_moments`, shape (resamples, 6).
        squares: Sums of the outer products of the families' moments, shape (resamples, 36).
    """
    n, sx, sy, xx, yy, xy = total.T
    mx, my = sx / n, sy / n
    vx, vy = xx / n - mx**2, yy / n - my**2
    usable = (vx > 1e-12) & (vy > 1e-12)
    vx, vy = np.where(usable, vx, 1.0), np.where(usable, vy, 1.0)
    scale = np.sqrt(vx * vy)
    r = (xy / n - mx * my) / scale
    usable &= np.abs(r) < 1 - 1e-9
    r = np.where(usable, r, 0.0)
    # The influence of a model is a linear function of its moments; these are its coefficients.
    a = np.stack(
        [
            mx * my / scale - r / 2 * (mx**2 / vx + my**2 / vy),
            r * mx / vx - my / scale,
            r * my / vy - mx / scale,
            -r / (2 * vx),
            -r / (2 * vy),
            1 / scale,
        ],
        axis=1,
    )
    variance = np.einsum("ri,rij,rj->r", a, squares.reshape(-1, 6, 6), a) / n**2
    z = np.where(usable, np.arctanh(r), np.nan)
    return z, np.sqrt(np.maximum(variance, 0)) / (1 - r * r)
