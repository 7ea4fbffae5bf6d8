"""Clean check: published accuracy, sample size and error messages."""

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


def evaluation(correct: int, count: int, classes: int = 5) -> Evaluation:
    letters = "R" * correct + "W" * (count - correct)
    budget = BudgetVerdicts(eps="1/255", verdicts=letters, largest_distance=0, seconds=0, passes={})
    return Evaluation(
        classes=classes, clean_passes=Passes(), budgets=(budget,), steps=0, undecided=0, passes_left=0
    )


@given(st.integers(1, 300), st.floats(0, 1), st.floats(0, 1))
def test_binomial_cdf_equals_scipy(trials: int, part: float, probability: float):
    successes = round(part * trials)
    assert clean_check.binomial_cdf(successes, trials, probability) == pytest.approx(
        binom.cdf(successes, trials, probability), abs=1e-9
    )


@given(st.integers(1, 200), st.floats(0, 1), st.floats(0.01, 1), st.floats(0, 0.2))
def test_plausible_if_exact_interval_overlaps_tolerance(count: int, part: float, top1: float, tolerance: float):
    """The interval is scipy's; cases where the two ranges are within rounding of each other are skipped."""
    correct = round(part * count)
    interval = binomtest(correct, count).proportion_ci(0.999, method="exact")
    gap = max(interval.low - (top1 + tolerance), (top1 - tolerance) - interval.high)
    if abs(gap) > 1e-6:
        plausible = clean_check.is_plausible(correct, count, Published(top1=top1, tolerance=tolerance))
        assert plausible == (gap < 0)


@pytest.mark.parametrize(
    ("correct", "count", "passes"),
    [
        # Published: 76.1 %, tolerance 5 %. 20 images detect only a broken model, 50,000 images a changed one.
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
def test_small_samples_have_wider_tolerance(correct: int, count: int, passes: bool):
    assert clean_check.is_plausible(correct, count, Published(top1=0.761)) == passes


def test_error_message_has_numbers():
    model = tiny.pair(published=Published(top1=0.761, where="a table")).model
    with pytest.raises(CleanAccuracyError) as caught:
        clean_check.check_clean_accuracy(model, evaluation(24, 200))
    assert str(caught.value) == (
        "tiny classifies 24 of 200 clean images correctly, 12.0%; expected 76.1% (a table) with a tolerance of "
        "5.0%; check the preprocessing and weights"
    )
    with pytest.raises(CleanAccuracyError, match="and whether the model was trained on these images"):
        clean_check.check_clean_accuracy(model, evaluation(200, 200))


def test_other_number_of_classes_is_rejected():
    with pytest.raises(CleanAccuracyError, match="returned 5 logits for each image; expected 1000"):
        clean_check.check_clean_accuracy(tiny.pair(classes=1000).model, evaluation(4, 4))


def test_missing_published_accuracy_gives_note():
    assert clean_check.check_clean_accuracy(tiny.pair().model, evaluation(0, 4)) == (clean_check.NOT_CHECKED,)
    assert clean_check.check_clean_accuracy(tiny.pair(published=Published(top1=0.5)).model, evaluation(2, 4)) == ()
