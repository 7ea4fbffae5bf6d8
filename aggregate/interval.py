"""Intervals: how far a counted share of images may be from the share the model has on all such images."""

from functools import lru_cache

from scipy.stats import binomtest

CONFIDENCE = 0.95


# One answer a pair of counts: a study of 100,000 pairs on 1,000 images asks for about a thousand of them.
@lru_cache(maxsize=65_536)
def exact(successes: int, trials: int) -> tuple[float, float]:
    """The exact 95 % interval of a share, both ends in [0,1].

    Of no trials nothing is known: (0, 1). Raises ValueError unless 0 <= successes <= trials.
    Source: Clopper & Pearson 1934, Biometrika 26, 404-413.
    """
    if trials == 0 and successes == 0:
        return 0.0, 1.0
    interval = binomtest(successes, trials).proportion_ci(CONFIDENCE, method="exact")
    return float(interval.low), float(interval.high)
