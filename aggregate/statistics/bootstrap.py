"""The bootstrap: how far a correlation may be from that of all models like these.

Models are drawn anew with replacement. Intervals are BCa at 95 %: Efron 1987, JASA 82, 171-185, as
`scipy.stats.bootstrap` gives them one at a time. A study asks for hundreds, so here a resample is a column of
counts, how often each model was drawn: moments within all resamples are products of a matrix with these counts,
and ranks are their sums, the models once sorted.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import stats

from aggregate.statistics.arrays import Floats

MIN_RESAMPLES, MAX_RESAMPLES = 2000, 10_000
"""Few models have skewed distributions, whose tails need more resamples, and whose resamples cost little."""
SEED = 20250217
"""Fixed: the same table gives the same interval. Questions with the same n share their draws."""
MIN_MODELS = 8
"""Models below which no interval is given: seven have only 1716 different resamples, most of them near-copies."""
_TAIL = 0.025

Counts = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Interval:
    """Both ends of a 95 % interval; None where there is none."""

    low: float | None = None
    high: float | None = None


@lru_cache(maxsize=4)
def _draw_counts(n: int) -> Counts:
    """How often each of n models was drawn: shape (n, resamples + n).

    The last n columns leave out each model in turn; every other one sums to n.
    """
    resamples = max(MIN_RESAMPLES, min(MAX_RESAMPLES, 500_000 // n))
    drawn = np.random.default_rng([SEED, n]).multinomial(n, np.full(n, 1 / n), size=resamples)
    return np.hstack([drawn.T.astype(np.float32), 1 - np.eye(n, dtype=np.float32)])


def bootstrap_intervals(x: Floats, y: Floats) -> tuple[Interval, Interval]:
    """The intervals of Spearman's and of Pearson's r, of values of shape (n,), finite and not constant.

    Both ends are None where there are fewer than eight models, or where (almost) every resample gives the
    same r, as a perfect order does: the bootstrap knows nothing of what it has not seen.
    """
    n = len(x)
    if n < MIN_MODELS:
        return Interval(), Interval()
    whole = np.ones((n, 1), np.float32)
    found = ((r(whole, x, y), r(_draw_counts(n), x, y)) for r in (_spearman, _pearson))
    of_spearman, of_pearson = (_bca(observed, rs[:-n], rs[-n:]) for observed, rs in found)
    return of_spearman, of_pearson


def _pearson(counts: Counts, x: Floats, y: Floats) -> Floats:
    """Pearson's r of each resample, shape (resamples,); NaN where a resample is constant."""
    x, y = ((values - values.mean()) / values.std() for values in (x, y))
    total = counts.sum(axis=0, dtype=np.float64)
    moments = np.stack([x, y, x * x, y * y, x * y]).astype(np.float32) @ counts
    mean_x, mean_y, xx, yy, xy = moments.astype(np.float64) / total
    return _ratio(xy - mean_x * mean_y, xx - mean_x**2, yy - mean_y**2)


def _ranks(counts: Counts, values: Floats) -> Counts:
    """Ranks of each draw within each resample, less their mean; shape (n, resamples), average ranks for ties.

    A value's rank, less a half, is the number of draws below it and half of those like it; half the resample is
    the average. All are multiples of a half, so float32 holds them exactly.
    """
    ranks = np.empty_like(counts)
    order = np.argsort(values, kind="stable")
    below = -counts.sum(axis=0) / 2
    for alike in np.split(order, np.flatnonzero(np.diff(values[order])) + 1):
        drawn = counts[alike].sum(axis=0)
        ranks[alike] = below + drawn / 2
        below += drawn
    return ranks


def _spearman(counts: Counts, x: Floats, y: Floats) -> Floats:
    """Spearman's r of each resample, shape (resamples,); NaN where a resample is constant."""
    ranks_x, ranks_y = _ranks(counts, x), _ranks(counts, y)
    of_x, of_y = counts * ranks_x, counts * ranks_y
    products = ((of_x, ranks_y), (of_x, ranks_x), (of_y, ranks_y))
    return _ratio(*(np.einsum("nb,nb->b", a, b).astype(np.float64) for a, b in products))


def _ratio(xy: Floats, xx: Floats, yy: Floats) -> Floats:
    spread = np.sqrt(np.maximum(xx, 0) * np.maximum(yy, 0))
    known = spread > 1e-12
    return np.where(known, np.clip(xy / np.where(known, spread, 1), -1, 1), np.nan)


def _bca(observed: Floats, resampled: Floats, left_out: Floats) -> Interval:
    """The bias-corrected and accelerated interval, from r of the sample, of its resamples, and less each model.

    Resamples of a constant have no r and are left out of the count.
    """
    known = resampled[np.isfinite(resampled)]
    if len(known) < 0.9 * len(resampled) or np.ptp(known) < 1e-6:
        return Interval()
    # A tie counts half, as in scipy: a correlation of few models takes few values.
    below = ((known < observed - 1e-6).mean() + (known <= observed + 1e-6).mean()) / 2
    if not 0 < below < 1:
        return Interval()
    bias = stats.norm.ppf(below)
    known_left_out = left_out[np.isfinite(left_out)]
    away = known_left_out.mean() - known_left_out
    spread = (away**2).sum() ** 1.5
    acceleration = (away**3).sum() / (6 * spread) if spread > 0 else 0.0
    ends = []
    for z in (stats.norm.ppf(_TAIL), stats.norm.ppf(1 - _TAIL)):
        at = stats.norm.cdf(bias + (bias + z) / (1 - acceleration * (bias + z)))
        ends.append(float(np.quantile(known, at)))
    return Interval(*ends)
