"""Power: models and images that a study needs to show a correlation."""

import pytest

from alignsec import power


def test_the_number_of_models_is_that_of_fishers_formula(monkeypatch):
    """Without families and sampling error, r = 0.3 at level 0.05 needs 85 models (Cohen 1988: 84 to 85)."""
    monkeypatch.setattr(power, "LEVEL", 0.05)
    monkeypatch.setattr(power, "DESIGN_EFFECT", 1.0)
    assert power.count_models(0.3, 10**9) == 85


def test_few_images_need_more_models():
    needed = [power.count_models(0.3, images) for images in (10_000, 1000, 200, 50)]
    assert needed == sorted(needed)
    assert needed[-1] > 1.15 * needed[0]


def test_the_smallest_correlation_is_the_one_that_these_models_show():
    smallest = power.find_smallest_correlation(power.count_models(0.2, 500), 500)
    assert smallest == pytest.approx(0.2, abs=0.001)


@pytest.mark.parametrize("models", [1, 9, 11])
def test_few_models_show_nothing(models: int):
    assert power.find_smallest_correlation(models, 200) is None
    assert "shows no correlation" in power.describe_power(models, 200)


def test_the_reliability_agrees_with_the_simulated_one():
    """51 models with sd 0.03 of accuracy 0.8 have 0.82 at 200 images with correlation 0.4; sd 0.12 has more."""
    assert power.estimate_reliability(200) == pytest.approx(0.951, abs=0.001)
    assert power.estimate_reliability(50) == pytest.approx(0.829, abs=0.001)


def test_the_number_of_images_is_the_one_with_which_these_models_show_the_correlation():
    images = power.count_images(0.2, 560)
    assert images is not None
    assert images > power.MIN_IMAGES
    assert power.find_smallest_correlation(560, images) == pytest.approx(0.2, abs=0.001)
    assert power.find_smallest_correlation(560, images // 2) > 0.2
    assert power.count_images(0.3, 144) is None
    assert power.count_images(0.9, 10_000) == power.MIN_IMAGES


def test_the_sentence_gives_models_and_images():
    assert "0.2 and 0.3 cannot be shown with any number of images" in power.describe_power(144, 1000)
    assert "0.2 needs about" in power.describe_power(560, 200)
    assert f"0.3 needs about {power.MIN_IMAGES} images" in power.describe_power(560, 200)
