"""Bootstrap intervals of Spearman's r: models are resampled with replacement.

The intervals are BCa intervals at 95 % (Efron 1987, JASA 82, 171-185), as `scipy.stats.bootstrap` computes them
one at a time. A study needs hundreds of them. Here, a resample is therefore a column of counts: the number of
times that each model was drawn. Ranks are sums of the counts, and the models are sorted only once.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import stats

from aggregate.statistics.arrays import Floats

MIN_RESAMPLES, MAX_RESAMPLES = 2000, 10_000
"""Limits of the number of resamples. With few models the distribution is skewed, so its tails need more resamples;
a resample of few models also costs little."""
SEED = 20250217
"""Fixed, so that a table always gives the same interval. Scores with the same n share their resamples."""
MIN_MODELS = 8
"""Smallest number of models for an interval. Seven have only 1716 different resamples, most of them similar."""
_TAIL = 0.025

Counts = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Interval:
    """Both ends of a 95 % interval; None if there is no interval."""

    low: float | None = None
    high: float | None = None


@lru_cache(maxsize=4)
def _draw_counts(n: int) -> Counts:
    """Return how often each resample draws each of n models, of shape (n, resamples + n).

    Each of the last n columns leaves out one model; every other column sums to n.
    """
    resamples = max(MIN_RESAMPLES, min(MAX_RESAMPLES, 500_000 // n))
    drawn = np.random.default_rng([SEED, n]).multinomial(n, np.full(n, 1 / n), size=resamples)
    return np.hstack([drawn.T.astype(np.float32), 1 - np.eye(n, dtype=np.float32)])


def bootstrap_interval(x: Floats, y: Floats) -> Interval:
    """Return the interval of Spearman's r.

    Args:
        x: Shape (n,), finite and not constant.
        y: Shape (n,), finite and not constant.

    Returns:
        The interval. Its ends are None if there are fewer than eight models. They are also None if (almost) all
        resamples give the same r, as for a perfect order: resampling then shows no spread.
    """
    n = len(x)
    if n < MIN_MODELS:
        return Interval()
    resampled = _spearman(_draw_counts(n), x, y)
    return _bca(_spearman(np.ones((n, 1), np.float32), x, y), resampled[:-n], resampled[-n:])


def _rank(counts: Counts, values: Floats) -> Counts:
    """Return ranks within each resample minus their mean, shape (n, resamples), with average ranks for ties.

    The rank of a value, minus one half, is the number of draws below it plus half of the draws equal to it. Half
    of the resample size is the mean. All are multiples of one half, so float32 represents them exactly.
    """
    ranks = np.empty_like(counts)
    order = np.argsort(values, kind="stable")
    below = -counts.sum(axis=0) / 2
    for ties in np.split(order, np.flatnonzero(np.diff(values[order])) + 1):
        drawn = counts[ties].sum(axis=0)
        ranks[ties] = below + drawn / 2
        below += drawn
    return ranks


def _spearman(counts: Counts, x: Floats, y: Floats) -> Floats:
    """Return Spearman's r of each resample, shape (resamples,); NaN where a resample is constant."""
    ranks_x, ranks_y = _rank(counts, x), _rank(counts, y)
    weighted_x, weighted_y = counts * ranks_x, counts * ranks_y
    products = ((weighted_x, ranks_y), (weighted_x, ranks_x), (weighted_y, ranks_y))
    return _correlate(*(np.einsum("nb,nb->b", a, b).astype(np.float64) for a, b in products))


def _correlate(xy: Floats, xx: Floats, yy: Floats) -> Floats:
    """Return xy / sqrt(xx yy), clipped to [-1, 1]; NaN where the denominator is 0."""
    spread = np.sqrt(np.maximum(xx, 0) * np.maximum(yy, 0))
    known = spread > 1e-12
    return np.where(known, np.clip(xy / np.where(known, spread, 1), -1, 1), np.nan)


def _bca(observed: Floats, resampled: Floats, jackknife: Floats) -> Interval:
    """Return the bias-corrected and accelerated interval of r.

    Args:
        observed: r of the sample, shape (1,).
        resampled: r of each resample; NaN for a constant one, which is ignored.
        jackknife: r without each model in turn, shape (n,).
    """
    known = resampled[np.isfinite(resampled)]
    if len(known) < 0.9 * len(resampled) or np.ptp(known) < 1e-6:
        return Interval()
    # A tie counts half, as in scipy: a correlation of few models takes few values.
    below = ((known < observed - 1e-6).mean() + (known <= observed + 1e-6).mean()) / 2
    if not 0 < below < 1:
        return Interval()
    bias = stats.norm.ppf(below)
    known_jackknife = jackknife[np.isfinite(jackknife)]
    deviations = known_jackknife.mean() - known_jackknife
    spread = (deviations**2).sum() ** 1.5
    acceleration = (deviations**3).sum() / (6 * spread) if spread > 0 else 0.0
    ends = []
    for z in (stats.norm.ppf(_TAIL), stats.norm.ppf(1 - _TAIL)):
        quantile = stats.norm.cdf(bias + (bias + z) / (1 - acceleration * (bias + z)))
        ends.append(float(np.quantile(known, quantile)))
    return Interval(*ends)
