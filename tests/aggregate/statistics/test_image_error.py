"""Sampling error of accuracies that were counted on shared images."""

import numpy as np
import pytest
from scipy import stats

from aggregate.statistics.image_error import bound_image_error, estimate_image_error, sampling_share


def draw(models: int, images: int, spread: float, seed: int = 1):
    """Verdicts of models whose latent ability differs by `spread`, on images of different difficulty."""
    rng = np.random.default_rng(seed)
    ability = stats.norm.ppf(0.8) + spread * rng.normal(size=models)
    difficulty = np.sqrt(0.4) * rng.normal(size=images)
    return difficulty + np.sqrt(0.6) * rng.normal(size=(models, images)) < ability[:, None], ability


def test_estimates_the_variance_that_repeated_samples_of_images_show():
    """The same models on 400 fresh image samples: the spread of their accuracies about the shared shift."""
    models, images = 12, 100
    rng = np.random.default_rng(5)
    ability = stats.norm.ppf(np.linspace(0.5, 0.9, models))
    measured, estimated, covariances, shared = [], [], [], []
    for _ in range(400):
        latent = np.sqrt(0.4) * rng.normal(size=images) + np.sqrt(0.6) * rng.normal(size=(models, images))
        clean, robust = latent < ability[:, None], latent < ability[:, None] - 0.8
        error = estimate_image_error(clean, robust)
        measured.append(clean.mean(axis=1))
        shared.append(robust.mean(axis=1))
        estimated.append(error.clean.mean())
        covariances.append(error.both.mean())
    centred = np.array(measured) - np.array(measured).mean(axis=1, keepdims=True)
    centred_robust = np.array(shared) - np.array(shared).mean(axis=1, keepdims=True)
    seen = centred.var(axis=0, ddof=1).mean() * models / (models - 1)
    together = np.mean([np.cov(a, b)[0, 1] for a, b in zip(centred.T, centred_robust.T, strict=True)])
    assert np.mean(estimated) == pytest.approx(seen, rel=0.05)
    assert np.mean(covariances) == pytest.approx(together * models / (models - 1), rel=0.15)


def test_the_binomial_bound_is_larger_when_images_differ_in_difficulty():
    clean, _ = draw(20, 200, 0.3)
    robust = clean & (np.random.default_rng(2).random(200) < 0.7)
    error = estimate_image_error(clean, robust)
    bound = bound_image_error(clean.mean(axis=1), robust.mean(axis=1), np.full(20, 200.0))
    assert error.clean.mean() < bound.clean.mean()
    assert error.robust.mean() < bound.robust.mean()


def test_sampling_share_is_the_one_of_an_analysis_of_variance():
    """Sums of squares of two models on four images, computed directly."""
    verdicts = np.array([[True, True, True, False], [True, False, False, False]])
    assert sampling_share(verdicts) == pytest.approx(_by_hand(verdicts))


def _by_hand(verdicts: np.ndarray) -> float:
    table = verdicts.astype(float)
    models, images = table.shape
    total = ((table - table.mean()) ** 2).sum()
    of_models = images * ((table.mean(axis=1) - table.mean()) ** 2).sum()
    of_images = models * ((table.mean(axis=0) - table.mean()) ** 2).sum()
    residual = (total - of_models - of_images) / ((models - 1) * (images - 1))
    return residual / (of_models / (models - 1))


def test_the_bound_on_r_is_reached_and_not_exceeded():
    """The correlation of a perfect score with measured accuracies is about sqrt(1 - share): issue of 51 models."""
    reached, allowed = [], []
    for seed in range(40):
        verdicts, ability = draw(51, 50, 0.12, seed)
        share = sampling_share(verdicts)
        assert share is not None
        reached.append(np.corrcoef(ability, verdicts.mean(axis=1))[0, 1])
        allowed.append(np.sqrt(1 - share))
    assert np.mean(reached) == pytest.approx(np.mean(allowed), abs=0.08)


def test_equal_accuracies_have_no_share():
    assert sampling_share(np.array([[True, False], [False, True]])) is None


def test_one_model_or_unequal_shapes_are_refused():
    with pytest.raises(ValueError, match="at least 2 x 2"):
        estimate_image_error(np.ones((1, 5), bool), np.ones((1, 5), bool))
    with pytest.raises(ValueError, match="two equal shapes"):
        estimate_image_error(np.ones((3, 5), bool), np.ones((3, 4), bool))
