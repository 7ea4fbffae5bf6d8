"""Family-wise p values of many scores, by a score wild bootstrap that weights whole families of models.

Reference: Kline & Santos 2012, J. Econometric Methods 1, 23-41; Westfall & Young 1993, Resampling-Based Multiple
Testing.
"""

from functools import lru_cache

import numpy as np

from aggregate.statistics.arrays import Floats

RESAMPLES = 4999
SEED = 20250217


def familywise_p(sums: Floats) -> Floats:
    """Return the p value of each score, adjusted for the number of scores tested together.

    Args:
        sums: Family sums of `correlate`, shape (families, scores); a column of zeros is not tested.

    Returns:
        Shape (scores,); NaN for a column of zeros. If no score is related, any value is below 0.05 in about 5 % of
        studies.
    """
    p = np.full(sums.shape[1], np.nan)
    tested = (sums != 0).any(axis=0)
    if not tested.any():
        return p
    part = sums[:, tested]
    weights = draw_weights(len(part))
    observed = np.abs(part.sum(axis=0)) / np.sqrt((part**2).sum(axis=0))
    drawn = np.abs(weights @ part) / np.sqrt(np.maximum(weights**2 @ part**2, 1e-300))
    largest = drawn.max(axis=1)
    p[tested] = [(1 + int((largest >= value - 1e-12).sum())) / (RESAMPLES + 1) for value in observed]
    return p


@lru_cache(maxsize=4)
def draw_weights(families: int) -> Floats:
    """Return random weights of families for a score wild bootstrap, shape (RESAMPLES, families); always the same.

    Two signs would give too few different sums if there are few families, hence six points.

    Reference:
        Webb 2023, Canadian Journal of Economics 56, 839-858.
    """
    rng = np.random.default_rng(SEED)
    size = np.sqrt(rng.choice([0.5, 1.0, 1.5], size=(RESAMPLES, families)))
    weights: Floats = size * rng.choice([-1.0, 1.0], size=(RESAMPLES, families))
    return weights
