"""The bootstrap: how far a correlation may be from that of all models like these.

Models are drawn anew with replacement. Intervals are BCa at 95 %: Efron 1987, JASA 82, 171-185, as
`scipy.stats.bootstrap` gives them one at a time. A study asks for hundreds, so here a resample is a column of
counts, how often each model was drawn, and both the moments and the ranks within all resamples are products of
a matrix with these counts.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import stats

FEWEST_RESAMPLES, MOST_RESAMPLES = 2000, 10_000
"""Few models have skewed distributions, whose tails need more resamples, and whose resamples cost little."""
SEED = 20250217
"""Fixed: the same table gives the same interval. Questions with the same n share their draws."""
FEWEST = 8
"""Models below which no interval is given: seven have only 1716 different resamples, most of them near-copies."""
_TAIL = 0.025

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Interval:
    """Both ends of a 95 % interval; None where there is none."""

    low: float | None = None
    high: float | None = None


@lru_cache(maxsize=4)
def _draws(n: int) -> Counts:
    """How often each of n models was drawn in each resample: shape (n, resamples), columns that sum to n."""
    resamples = max(FEWEST_RESAMPLES, min(MOST_RESAMPLES, 500_000 // n))
    drawn = np.random.default_rng([SEED, n]).multinomial(n, np.full(n, 1 / n), size=resamples)
    return np.ascontiguousarray(drawn.T, dtype=np.float32)


def correlations(x: Floats, y: Floats) -> tuple[Interval, Interval]:
    """The intervals of Spearman's and of Pearson's r, of values of shape (n,), finite and not constant.

    Both ends are None where there are fewer than eight models, or where (almost) every resample gives the
    same r, as a perfect order does: the bootstrap knows nothing of what it has not seen.
    """
    n = len(x)
    if n < FEWEST:
        return Interval(), Interval()
    whole, left_out = np.ones((n, 1), np.float32), 1 - np.eye(n, dtype=np.float32)
    every = (whole, _draws(n), left_out)
    return (
        _bca(*(_spearman(counts, _below(x), _below(y)) for counts in every)),
        _bca(*(_pearson(counts, x, y) for counts in every)),
    )


def _pearson(counts: Counts, x: Floats, y: Floats) -> Floats:
    """Pearson's r of each resample, shape (resamples,); NaN where a resample is constant."""
    x, y = ((values - values.mean()) / values.std() for values in (x, y))
    total = counts.sum(axis=0, dtype=np.float64)
    moments = np.stack([x, y, x * x, y * y, x * y]).astype(np.float32) @ counts
    mean_x, mean_y, xx, yy, xy = moments.astype(np.float64) / total
    return _ratio(xy - mean_x * mean_y, xx - mean_x**2, yy - mean_y**2)


def _below(values: Floats) -> Counts:
    """Shape (n, n): 1 where the column's value is below the row's, a half where they are the same."""
    below, same = values[None] < values[:, None], values[None] == values[:, None]
    half: Counts = below.astype(np.float32) + np.float32(0.5) * same.astype(np.float32)
    return half


def _spearman(counts: Counts, below_x: Counts, below_y: Counts) -> Floats:
    """Spearman's r of each resample, average ranks for ties.

    A value's rank within a resample, less a half, is the number of draws below it and half of those like it;
    half the resample is the average. All are multiples of a half, so float32 holds them exactly.
    """
    middle = counts.sum(axis=0) / 2
    ranks_x, ranks_y = below_x @ counts - middle, below_y @ counts - middle
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
