"""Audit precision: the standard error of an audited attack before it runs, and the share that reaches a target.

docs/statistics.md ("Audited attacks") has the formulae.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from alignsec.power import SPREAD, estimate_reliability
from alignsec.spec.audit import STRATA, STUDY_PRECISION, Stratum
from alignsec.spec.audit_plan import pilot_size, sample_sizes, stratum_sizes
from alignsec.spec.budget import Budget

SHARES = tuple(
    map(Budget.parse, ("0.01", "0.02", "0.03", "0.05", "0.07", "0.1", "0.15", "0.2", "0.3", "0.5", "0.7", "1"))
)
"""Shares from which the tool chooses."""
STUDY_GROWTH = 1.05
"""Largest factor by which an audit may increase the standard errors of a study's correlations."""


@dataclass(frozen=True)
class Expectation:
    """What is expected of one model at one budget."""

    survivors: float
    """Share of the images that survive the screen."""
    broken: Mapping[Stratum, float]
    """Share of each stratum's survivors that the remaining searches break."""


ASSUMED = Expectation(0.5, dict.fromkeys(STRATA, 0.04))
"""Assumed without outcomes. Half of the images gives the largest sampling error. APGD-T broke 3.9 % of the
survivors of APGD-CE in twelve public logs of AutoAttack. That far images break as often as near ones is
unfavourable."""
ASSUMED_BASIS = (
    "assumed: half of the images survive the screen, and the remaining searches break 4 % of them, near and far"
)


def compute_audit_variance(images: int, expected: Expectation, share: Budget) -> float:
    """Return the variance of the estimated robust accuracy over audits, given the images.

    Args:
        images: Number of images.
        expected: The expected results.
        share: Audited share.
    """
    sizes = stratum_sizes(round(images * expected.survivors))
    samples, total = sample_sizes(sizes, share), 0.0
    for stratum in STRATA:
        pilot, p = pilot_size(samples[stratum]), expected.broken[stratum]
        others, second = sizes[stratum] - pilot, samples[stratum] - pilot
        if second:
            total += others * (others - second) * p * (1 - p) / second
        elif others:
            total += sizes[stratum] ** 2 * p * (1 - p) / max(pilot, 1)
    return total / images**2


def compute_standard_error(images: int, expected: Expectation, share: Budget) -> float:
    """Return the standard error of the estimated robust accuracy over samples of images and audits.

    Args:
        images: Number of images.
        expected: The expected results.
        share: Audited share.
    """
    accuracy = _expect_accuracy(images, expected)
    return math.sqrt(accuracy * (1 - accuracy) / images + compute_audit_variance(images, expected, share))


def compute_smallest_error(images: int, expectations: Sequence[Expectation]) -> float:
    """Return the largest standard error over models if every survivor is audited: no share gives less."""
    return max(compute_standard_error(images, one, SHARES[-1]) for one in expectations)


def count_images(expectations: Sequence[Expectation], precision: Budget) -> int:
    """Return the smallest number of images that can give a standard error, with every survivor audited."""
    largest = max(accuracy * (1 - accuracy) for accuracy in (_expect_accuracy(1000, one) for one in expectations))
    return math.ceil(largest / precision.exact**2)


def compute_study_growth(images: int, expectations: Sequence[Expectation], share: Budget) -> float:
    """Return the factor by which an audit increases the standard error of a study's correlations.

    A correlation is divided by the square root of the reliability of the accuracies, and so is its standard error.
    The reliability without an audit is that of `alignsec.power`.

    Args:
        images: Number of images.
        expectations: The expected results of each model.
        share: Audited share.
    """
    without = SPREAD**2 / estimate_reliability(images)
    audit = sum(compute_audit_variance(images, one, share) for one in expectations) / len(expectations)
    return math.sqrt(1 + audit / without)


def choose_share(images: int, expectations: Sequence[Expectation], precision: str) -> Budget | None:
    """Return the smallest share that reaches a precision; None if no share does.

    Args:
        images: Number of images.
        expectations: The expected results of each model and budget.
        precision: As in a study: "study", or the largest standard error of a model.
    """
    return next((share for share in SHARES if _is_reached(images, expectations, precision, share)), None)


def _is_reached(images: int, expectations: Sequence[Expectation], precision: str, share: Budget) -> bool:
    if precision == STUDY_PRECISION:
        return compute_study_growth(images, expectations, share) <= STUDY_GROWTH
    largest = float(Budget.parse(precision))
    return all(compute_standard_error(images, one, share) <= largest for one in expectations)


def _expect_accuracy(images: int, expected: Expectation) -> float:
    """Return the expected robust accuracy."""
    survivors = round(images * expected.survivors)
    sizes = stratum_sizes(survivors)
    return (survivors - sum(sizes[one] * expected.broken[one] for one in STRATA)) / images
