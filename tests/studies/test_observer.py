"""The template observer, error consistency, and the distortions of the benchmark."""

import numpy as np
import pytest
import torch

from studies.demo.digits import resize_digits, split_digits
from studies.demo.distortion import DISTORTIONS
from studies.demo.observer import error_consistency, fit_template_observer


@pytest.fixture(scope="module")
def splits():
    return split_digits(0)


@pytest.fixture(scope="module")
def observer(splits):
    return fit_template_observer(resize_digits(splits.training.pixels, 16).numpy(), splits.training.labels)


def test_same_errors_give_one():
    right = np.random.default_rng(0).random(500) < 0.7
    assert error_consistency(right, right) == pytest.approx(1)


def test_independent_errors_give_zero_at_any_accuracy():
    rng = np.random.default_rng(0)
    for p, q in [(0.5, 0.5), (0.95, 0.9), (0.2, 0.9)]:
        assert abs(error_consistency(rng.random(20_000) < p, rng.random(20_000) < q)) < 0.03


def test_opposite_errors_give_minus_one():
    right = np.array([True, False] * 50)
    assert error_consistency(right, ~right) == pytest.approx(-1)


def test_error_consistency_equals_a_calculation_by_hand():
    """Ten images: both right on 6, both wrong on 2, one each; 0.8 observed, 0.7 * 0.7 + 0.3 * 0.3 expected."""
    one = np.array([True] * 7 + [False] * 3)
    other = np.array([True] * 6 + [False] + [True] + [False] * 2)
    assert error_consistency(one, other) == pytest.approx((0.8 - 0.58) / (1 - 0.58))


def test_error_consistency_without_errors_is_nan():
    assert np.isnan(error_consistency(np.ones(9, bool), np.ones(9, bool)))


def test_observer_accuracy_on_unseen_digits(observer, splits):
    right = observer.classify(resize_digits(splits.scoring.pixels, 16).numpy()) == splits.scoring.labels
    assert 0.8 < right.mean() < 0.97


def test_observer_ignores_contrast_and_accepts_a_blank_image(observer, splits):
    images = resize_digits(splits.scoring.pixels, 16).numpy()
    assert np.array_equal(observer.classify(images * 0.3 + 0.2), observer.classify(images))
    assert observer.classify(np.zeros((1, 16, 16))).shape == (1,)


@pytest.mark.parametrize("name", DISTORTIONS)
def test_distortion_is_reproducible_stays_in_range_and_grows_with_strength(name, splits):
    distort, strengths = DISTORTIONS[name]
    images = resize_digits(splits.scoring.pixels, 16)
    results = [distort(images, strength, 0) for strength in strengths]
    for result, strength in zip(results, strengths, strict=True):
        assert result.shape == images.shape
        assert result.dtype == images.dtype
        assert 0 <= result.min() <= result.max() <= 1
        assert torch.equal(result, distort(images, strength, 0))
    distances = [float((result - images).norm()) for result in results]
    assert 0 < distances[0] < distances[1] < distances[2]


@pytest.mark.parametrize("name", DISTORTIONS)
def test_observer_accuracy_on_distorted_digits_is_between_chance_and_100_percent(name, observer, splits):
    """Error consistency is undefined otherwise."""
    distort, strengths = DISTORTIONS[name]
    images = resize_digits(splits.scoring.pixels, 16)
    for strength in strengths:
        right = observer.classify(distort(images, strength, 0).numpy()) == splits.scoring.labels
        assert 0.2 < right.mean() < 0.97
