"""The bootstrap: how far a correlation may be from that of all models like these.

Models are drawn anew with replacement. Intervals are BCa at 95 %: Efron 1987, JASA 82, 171-185, as
`scipy.stats.bootstrap` gives them one at a time. A study asks for hundreds, so here a resample is a row of
counts, how often each model was drawn: moments of all resamples are one product of matrices, and ranks within
each resample are one cumulative sum of its counts.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import stats

RESAMPLES = 2000
SEED = 20250217
"""Fixed: the same table gives the same interval. Questions with the same n share their draws."""
FEWEST = 8
"""Models below which no interval is given: seven have only 1716 different resamples, most of them near-copies."""
_TAIL = 0.025

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """Both ends of a 95 % interval; None where there is none."""

    low: float | None = None
    high: float | None = None


@lru_cache(maxsize=16)
def _draws(n: int) -> Floats:
    """How often each of n models was drawn in each resample: shape (RESAMPLES, n), rows that sum to n."""
    return np.random.default_rng([SEED, n]).multinomial(n, np.full(n, 1 / n), size=RESAMPLES).astype(np.float64)


def correlations(x: Floats, y: Floats) -> tuple[Interval, Interval]:
    """The intervals of Spearman's and of Pearson's r, of values of shape (n,), finite and not constant.

    Both ends are None where there are fewer than eight models, or where (almost) every resample gives the
    same r, as a perfect order does: the bootstrap knows nothing of what it has not seen.
    """
    n = len(x)
    if n < FEWEST:
        return Interval(), Interval()
    drawn, left_out = _draws(n), 1.0 - np.eye(n)
    whole = np.ones((1, n))
    return (
        _bca(*(_spearman(counts, x, y) for counts in (whole, drawn, left_out))),
        _bca(*(_pearson(counts, x, y) for counts in (whole, drawn, left_out))),
    )


def _pearson(counts: Floats, x: Floats, y: Floats) -> Floats:
    """Pearson's r of each resample, shape (resamples,); NaN where a resample is constant."""
    x, y = ((values - values.mean()) / values.std() for values in (x, y))
    total = counts.sum(axis=1)
    mean_x, mean_y, xx, yy, xy = (counts @ np.column_stack([x, y, x * x, y * y, x * y]) / total[:, None]).T
    return _ratio(xy - mean_x * mean_y, xx - mean_x**2, yy - mean_y**2)


def _spearman(counts: Floats, x: Floats, y: Floats) -> Floats:
    """Spearman's r of each resample, average ranks for ties."""
    middle = (counts.sum(axis=1, keepdims=True) + 1) / 2
    ranks_x, ranks_y = (ranks(counts, values) - middle for values in (x, y))
    weighted_x, weighted_y = counts * ranks_x, counts * ranks_y
    return _ratio(
        np.einsum("bn,bn->b", weighted_x, ranks_y),
        np.einsum("bn,bn->b", weighted_x, ranks_x),
        np.einsum("bn,bn->b", weighted_y, ranks_y),
    )


def ranks(counts: Floats, values: Floats) -> Floats:
    """The average rank of each value within each resample, shape (resamples, n); of no meaning where not drawn."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    up_to = np.cumsum(counts[:, order], axis=1)
    before = np.concatenate([np.zeros((len(counts), 1)), up_to], axis=1)
    first = np.searchsorted(ordered, values, side="left")
    last = np.searchsorted(ordered, values, side="right") - 1
    ranked: Floats = (before[:, first] + up_to[:, last] + 1) / 2
    return ranked


def _ratio(xy: Floats, xx: Floats, yy: Floats) -> Floats:
    spread = np.sqrt(np.maximum(xx, 0) * np.maximum(yy, 0))
    known = spread > 1e-12
    return np.where(known, np.clip(xy / np.where(known, spread, 1), -1, 1), np.nan)


def _bca(observed: Floats, resampled: Floats, left_out: Floats) -> Interval:
    """The bias-corrected and accelerated interval, from r of the sample, of its resamples, and less each model.

    Resamples of a constant have no r and are left out of the count.
    """
    known = resampled[np.isfinite(resampled)]
    if len(known) < 0.9 * len(resampled) or np.ptp(known) < 1e-9:
        return Interval()
    # A tie counts half, as in scipy: a correlation of few models takes few values.
    below = ((known < observed - 1e-12).mean() + (known <= observed + 1e-12).mean()) / 2
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
