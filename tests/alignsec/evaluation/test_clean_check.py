"""The gate: published accuracy, the size of the sample, and what is said when they do not fit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from alignsec.evaluation import clean_check
from alignsec.evaluation.clean_check import CleanAccuracyError
from alignsec.evaluation.evaluation import Evaluation
from alignsec.spec.pair import Published
from alignsec.spec.verdicts import BudgetVerdicts, Passes
from tests import tiny


def known(correct: int, count: int, classes: int = 5) -> Evaluation:
    letters = "R" * correct + "W" * (count - correct)
    budget = BudgetVerdicts(eps="1/255", verdicts=letters, largest_distance=0, seconds=0, passes={})
    return Evaluation(
        classes=classes, clean_passes=Passes(), budgets=(budget,), steps=0, undecided=0, passes_left=0
    )


@given(st.integers(1, 300), st.floats(0, 1), st.floats(0, 1))
def test_the_tail_is_the_binomials(trials: int, part: float, share: float):
    successes = round(part * trials)
    assert clean_check.binomial_cdf(successes, trials, share) == pytest.approx(
        binom.cdf(successes, trials, share), abs=1e-9
    )


@given(st.integers(1, 200), st.floats(0, 1), st.floats(0.01, 1), st.floats(0, 0.2))
def test_plausible_is_that_the_exact_interval_meets_the_tolerance(
    count: int, part: float, top1: float, tolerance: float
):
    """As scipy computes the interval, where the two are not within rounding of each other."""
    correct = round(part * count)
    interval = binomtest(correct, count).proportion_ci(0.999, method="exact")
    gap = max(interval.low - (top1 + tolerance), (top1 - tolerance) - interval.high)
    if abs(gap) > 1e-6:
        plausible = clean_check.is_plausible(correct, count, Published(top1=top1, tolerance=tolerance))
        assert plausible == (gap < 0)


@pytest.mark.parametrize(
    ("correct", "count", "passes"),
    [
        # Of a model of 76.1 %, tolerance 5 %: 20 images tell only a broken one, 50,000 a changed one.
        *(
            (10, 20, True),
            (3, 20, False),
            (20, 20, True),
            (690, 1000, True),
            (640, 1000, False),
            (860, 1000, False),
        ),
        *((35600, 50000, True), (35000, 50000, False), (40600, 50000, True), (41000, 50000, False)),
        (0, 1, True),
    ],
)
def test_the_tolerance_widens_with_a_small_sample(correct: int, count: int, passes: bool):
    assert clean_check.is_plausible(correct, count, Published(top1=0.761)) == passes


def test_a_model_that_is_not_the_published_one_is_told_with_numbers():
    model = tiny.pair(published=Published(top1=0.761, where="a table")).model
    with pytest.raises(CleanAccuracyError) as caught:
        clean_check.check_clean_accuracy(model, known(24, 200))
    assert str(caught.value) == (
        "tiny classifies 24 of 200 clean images correctly, 12.0%; expected 76.1% (a table) with a tolerance of "
        "5.0%; check the preprocessing and weights"
    )
    with pytest.raises(CleanAccuracyError, match="and whether the model was trained on these images"):
        clean_check.check_clean_accuracy(model, known(200, 200))


def test_other_logits_than_known_are_refused():
    with pytest.raises(CleanAccuracyError, match="returned 5 logits for each image; expected 1000"):
        clean_check.check_clean_accuracy(tiny.pair(classes=1000).model, known(4, 4))


def test_what_cannot_be_checked_is_noted():
    assert clean_check.check_clean_accuracy(tiny.pair().model, known(0, 4)) == (clean_check.NOT_CHECKED,)
    assert clean_check.check_clean_accuracy(tiny.pair(published=Published(top1=0.5)).model, known(2, 4)) == ()
