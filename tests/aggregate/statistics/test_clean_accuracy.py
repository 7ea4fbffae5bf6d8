"""Clean accuracy: published values, shifted to the study's images, or measured ones."""

import numpy as np

from aggregate.statistics.clean_accuracy import choose_clean_accuracy

MEASURED = np.linspace(0.6, 0.9, 10)
ROBUST = MEASURED / 2


def test_published_values_are_shifted_by_the_mean_difference():
    published = [value - 0.05 + (0.01 if at % 2 else -0.01) for at, value in enumerate(MEASURED)]
    found = choose_clean_accuracy(MEASURED, [*published[:8], None, None], ROBUST)
    assert np.allclose(found.values[:8], np.array(published[:8]) + 0.05)
    assert np.array_equal(found.values[8:], MEASURED[8:])
    assert found.exact.tolist() == [True] * 8 + [False] * 2


def test_a_model_without_a_measured_accuracy_takes_the_published_one():
    measured = np.where(np.arange(10) == 0, np.nan, MEASURED)
    found = choose_clean_accuracy(measured, list(MEASURED - 0.1), ROBUST)
    assert np.allclose(found.values, MEASURED)


def test_few_published_values_are_not_used():
    found = choose_clean_accuracy(MEASURED, [0.7] * 7 + [None] * 3, ROBUST)
    assert np.array_equal(found.values, MEASURED)
    assert not found.exact.any()
    assert found.describe(np.ones(10, dtype=bool)) == "measured"


def test_the_clean_attack_keeps_the_measured_values():
    found = choose_clean_accuracy(MEASURED, list(MEASURED[::-1]), MEASURED)
    assert np.array_equal(found.values, MEASURED)


def test_the_source_is_that_of_the_models_that_are_used():
    found = choose_clean_accuracy(MEASURED, [*MEASURED[:9], None], ROBUST)
    assert found.describe(np.arange(10) < 9) == "published"
    assert found.describe(np.arange(10) >= 9) == "measured"
    assert found.describe(np.ones(10, dtype=bool)) == "published for 9 of 10, others measured"
