"""The template observer, error consistency, and the distortions under which both are measured."""

import numpy as np
import pytest
import torch

from studies.demo.digits import resize_digits, split_digits
from studies.demo.distortion import DISTORTIONS
from studies.demo.observer import error_consistency, template_observer


@pytest.fixture(scope="module")
def parts():
    return split_digits(0)


@pytest.fixture(scope="module")
def observer(parts):
    return template_observer(resize_digits(parts.training.pixels, 16).numpy(), parts.training.labels)


def test_observers_who_err_on_the_same_images_agree_wholly():
    right = np.random.default_rng(0).random(500) < 0.7
    assert error_consistency(right, right) == pytest.approx(1)


def test_observers_who_err_independently_agree_by_chance_whatever_their_accuracies():
    rng = np.random.default_rng(0)
    for p, q in [(0.5, 0.5), (0.95, 0.9), (0.2, 0.9)]:
        assert abs(error_consistency(rng.random(20_000) < p, rng.random(20_000) < q)) < 0.03


def test_observers_who_err_where_the_other_does_not_disagree():
    right = np.array([True, False] * 50)
    assert error_consistency(right, ~right) == pytest.approx(-1)


def test_error_consistency_worked_by_hand():
    """Ten images: both right on 6, both wrong on 2, one each; 0.8 observed, 0.7 * 0.7 + 0.3 * 0.3 expected."""
    one = np.array([True] * 7 + [False] * 3)
    other = np.array([True] * 6 + [False] + [True] + [False] * 2)
    assert error_consistency(one, other) == pytest.approx((0.8 - 0.58) / (1 - 0.58))


def test_nothing_can_be_told_of_observers_who_never_err():
    assert np.isnan(error_consistency(np.ones(9, bool), np.ones(9, bool)))


def test_the_observer_reads_unseen_digits_but_not_perfectly(observer, parts):
    right = observer.choose(resize_digits(parts.scoring.pixels, 16).numpy()) == parts.scoring.labels
    assert 0.8 < right.mean() < 0.97


def test_the_observer_is_blind_to_contrast_and_does_not_fail_on_a_blank(observer, parts):
    images = resize_digits(parts.scoring.pixels, 16).numpy()
    assert np.array_equal(observer.choose(images * 0.3 + 0.2), observer.choose(images))
    assert observer.choose(np.zeros((1, 16, 16))).shape == (1,)


@pytest.mark.parametrize("name", DISTORTIONS)
def test_a_distortion_gives_images_again_the_same_for_the_same_seed_and_worse_with_strength(name, parts):
    distort, strengths = DISTORTIONS[name]
    images = resize_digits(parts.scoring.pixels, 16)
    results = [distort(images, strength, 0) for strength in strengths]
    for result, strength in zip(results, strengths, strict=True):
        assert result.shape == images.shape
        assert result.dtype == images.dtype
        assert 0 <= result.min() <= result.max() <= 1
        assert torch.equal(result, distort(images, strength, 0))
    distances = [float((result - images).norm()) for result in results]
    assert 0 < distances[0] < distances[1] < distances[2]


@pytest.mark.parametrize("name", DISTORTIONS)
def test_a_distortion_leaves_the_observer_between_perfect_and_chance(name, observer, parts):
    """Else error consistency would have nothing to measure."""
    distort, strengths = DISTORTIONS[name]
    images = resize_digits(parts.scoring.pixels, 16)
    for strength in strengths:
        right = observer.choose(distort(images, strength, 0).numpy()) == parts.scoring.labels
        assert 0.2 < right.mean() < 0.97
