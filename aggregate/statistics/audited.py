"""Audited attacks: robust accuracy if only a sample of the survivors was searched in full, with intervals.

docs/statistics.md ("Audited attacks") derives the formulae.

Reference:
    Cochran 1977, Sampling Techniques, chapters 2, 5 and 12 (stratified and double sampling); Clopper & Pearson
    1934, Biometrika 26, 404-413.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import stats

from alignsec.spec.audit_plan import StratumCounts

ERROR = 0.05
"""Error level of an interval."""
AUDIT_ERROR = 0.01
"""The part of it that the audit gets, divided equally among the strata; the sample of images gets the rest."""


@dataclass(frozen=True)
class Estimate:
    """Estimated robust accuracy under the full attack."""

    accuracy: float
    variance: float
    """Variance of `accuracy` over samples of images and audits."""
    low: float
    """Lower end of the exact interval."""
    high: float


def estimate_broken(stratum: StratumCounts) -> float:
    """Return the unbiased estimate of how many survivors of a stratum the full attack breaks.

    The pilot decides whether all survivors are audited, so its images count for themselves only; the images after
    the pilot represent all others.
    """
    others = stratum.survivors - stratum.pilot
    if not others:
        return float(stratum.pilot_broken)
    if not stratum.second:
        return stratum.survivors * stratum.pilot_broken / max(stratum.pilot, 1)
    return stratum.pilot_broken + others * stratum.second_broken / stratum.second


def estimate_accuracy(images: int, strata: Sequence[StratumCounts]) -> Estimate:
    """Return estimate, variance and exact interval.

    Args:
        images: Number of images of the model.
        strata: Counts of each stratum.
    """
    survivors = sum(one.survivors for one in strata)
    broken = sum(map(estimate_broken, strata))
    accuracy = (survivors - broken) / images
    variance = accuracy * (1 - accuracy) / images + sum(map(_audit_variance, strata)) / images**2
    open_strata = sum(one.audited < one.survivors for one in strata)
    level = AUDIT_ERROR / max(open_strata, 1)
    ends = [bound_broken(one.survivors, one.audited, one.broken, level) for one in strata]
    image_error = ERROR - AUDIT_ERROR
    low = clopper_pearson(survivors - sum(high for _, high in ends), images, image_error)[0]
    high = clopper_pearson(survivors - sum(low for low, _ in ends), images, image_error)[1]
    return Estimate(accuracy, variance, low, high)


def _audit_variance(stratum: StratumCounts) -> float:
    """Return the variance of `estimate_broken` over audits, given the images.

    p is estimated with half a broken image added, because a sample without a broken image does not show that there
    is none.
    """
    others = stratum.survivors - stratum.pilot
    if not stratum.second or others <= stratum.second:
        return 0.0
    p = (stratum.broken + 0.5) / (stratum.audited + 1)
    return others * (others - stratum.second) * p * (1 - p) / stratum.second


@lru_cache(maxsize=65_536)
def clopper_pearson(successes: int, trials: int, error: float) -> tuple[float, float]:
    """Return the exact interval of a share with an error level; (0, 1) without trials."""
    low = float(stats.beta.ppf(error / 2, successes, trials - successes + 1)) if successes else 0.0
    high = float(stats.beta.ppf(1 - error / 2, successes + 1, trials - successes)) if successes < trials else 1.0
    return low, high


@lru_cache(maxsize=65_536)
def bound_broken(survivors: int, audited: int, broken: int, error: float) -> tuple[int, int]:
    """Return the exact interval of the number of images among the survivors that the full attack breaks.

    It contains each number B for which neither P(K <= broken) nor P(K >= broken) is at most error / 2, where K is
    hypergeometric: the broken ones in a random sample of `audited` among `survivors` with B broken.

    Args:
        survivors: Images that survived the screen.
        audited: Images of the random sample.
        broken: Broken images of the sample.
        error: Error level.
    """
    if audited == survivors:
        return broken, broken
    candidates = np.arange(broken, survivors - (audited - broken) + 1)
    few = stats.hypergeom.cdf(broken, survivors, candidates, audited)
    many = stats.hypergeom.sf(broken - 1, survivors, candidates, audited)
    possible = candidates[(few > error / 2) & (many > error / 2)]
    return int(possible.min()), int(possible.max())


def pool_strata(models: Sequence[Sequence[StratumCounts]]) -> list[tuple[int, int]]:
    """Return the audited and the broken images of each stratum, summed over models."""
    if not models:
        return []
    return [
        (sum(model[at].audited for model in models), sum(model[at].broken for model in models))
        for at in range(len(models[0]))
    ]


def pooled_interval(
    images: int, strata: Sequence[StratumCounts], pooled: Sequence[tuple[int, int]]
) -> tuple[float, float]:
    """Return the interval under the assumption that all models break the same share of a stratum.

    R = S (1 - p), with S the accuracy under the screen and p the mean of the strata's shares, weighted by their
    survivors. The interval multiplies the ends of exact intervals of S and p.

    Args:
        images: Number of images of the model.
        strata: Counts of each stratum.
        pooled: Result of `pool_strata`.
    """
    survivors = sum(one.survivors for one in strata)
    low, high = clopper_pearson(survivors, images, ERROR - AUDIT_ERROR)
    if not survivors:
        return 0.0, high
    level = AUDIT_ERROR / len(strata)
    ends = [clopper_pearson(broken, audited, level) for audited, broken in pooled]
    least, most = (
        sum(one.survivors * end[side] for one, end in zip(strata, ends, strict=True)) / survivors
        for side in (0, 1)
    )
    return low * (1 - most), high * (1 - least)
