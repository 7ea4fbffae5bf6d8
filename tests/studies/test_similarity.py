"""Representational similarity and kernel alignment of systems with known similarity."""

import numpy as np
import pytest
from scipy.stats import ortho_group

from studies.demo.similarity import cka, pairwise_dissimilarities, rsa


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("measure", [rsa, cka])
def test_similarity_of_a_system_to_itself_is_one(measure, rng):
    features = rng.normal(size=(40, 12))
    assert measure(features, features) == pytest.approx(1)


@pytest.mark.parametrize("measure", [rsa, cka])
def test_order_scale_and_offset_of_features_do_not_matter(measure, rng):
    features, other = rng.normal(size=(2, 40, 12))
    changed = 3.5 * features[:, rng.permutation(12)] + 2
    assert measure(changed, other) == pytest.approx(measure(features, other))
    assert measure(changed, features) == pytest.approx(1)


def test_rotation_does_not_change_kernel_alignment(rng):
    features, other = rng.normal(size=(2, 40, 12))
    rotated = features @ ortho_group.rvs(12, random_state=0)
    assert cka(rotated, features) == pytest.approx(1)
    assert cka(rotated, other) == pytest.approx(cka(features, other))


@pytest.mark.parametrize("measure", [rsa, cka])
def test_unrelated_systems_with_many_features_score_about_zero(measure, rng):
    """Linear CKA with the usual biased estimate gives 0.96 here."""
    scores = [measure(*rng.normal(size=(2, 40, 1000))) for _ in range(20)]
    assert abs(np.mean(scores)) < 0.05


@pytest.mark.parametrize("measure", [rsa, cka])
def test_similarity_decreases_with_noise(measure, rng):
    shared, noise = rng.normal(size=(2, 60, 30))
    scores = [measure(shared, shared + strength * noise) for strength in (0, 0.5, 1, 4)]
    assert scores == sorted(scores, reverse=True)
    assert scores[-1] < 0.5


def test_large_means_do_not_change_kernel_alignment(rng):
    features, other = rng.normal(size=(2, 40, 12))
    assert cka(features + 1e6, other) == pytest.approx(cka(features, other), abs=1e-6)


def test_pairwise_dissimilarities_of_three_images():
    one, opposite = np.array([1.0, 2, 3]), np.array([3.0, 2, 1])
    assert pairwise_dissimilarities(np.stack([one, one * 2, opposite])) == pytest.approx([0, 2, 2])


@pytest.mark.filterwarnings("ignore:An input array is constant")
@pytest.mark.parametrize("measure", [rsa, cka])
def test_constant_features_give_nan(measure, rng):
    assert np.isnan(measure(np.ones((10, 5)), rng.normal(size=(10, 5))))
