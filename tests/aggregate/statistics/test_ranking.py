"""Tests of rank intervals against direct computations, and of their coverage."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from aggregate.statistics import ranking
from aggregate.statistics.ranking import estimate_ranks, rank_models


def _study(verdicts, eps="1/255", **columns):
    """A table and packed bits of models m0, m1, ... with these verdicts, shape (models, images)."""
    names = [f"m{at}" for at in range(len(verdicts))]
    table = pd.DataFrame({
        "model": names, "attack": "aa", "norm": "Linf", "eps": eps, "eps_value": 1 / 255,
        "images": verdicts.shape[1], "robust_accuracy": verdicts.mean(axis=1), **columns,
    })  # fmt: skip
    packed = np.packbits(verdicts.astype(bool), axis=1)
    return table, {(name, "aa", eps): bits for name, bits in zip(names, packed, strict=True)}


def _draw(rng, accuracies, images=200):
    """Verdicts of models that find the same images difficult."""
    difficulty = np.sqrt(0.4) * rng.normal(size=images)
    latent = difficulty + np.sqrt(0.6) * rng.normal(size=(len(accuracies), images))
    return (latent < stats.norm.ppf(accuracies)[:, None]).astype(np.float32)


def test_clearly_different_models_have_the_interval_of_one_rank():
    verdicts = np.zeros((3, 400))
    verdicts[1, :100] = verdicts[0, :300] = 1
    found = rank_models(*_study(verdicts)).set_index("model")
    assert list(found["rank"]) == list(found["rank_low"]) == list(found["rank_high"]) == [1, 2, 3]
    assert list(found["most_robust"]) == [1, 0, 0]


def test_equal_models_share_ranks_and_the_probability_of_being_most_robust():
    same = _draw(np.random.default_rng(1), [0.5])[[0, 0, 0]]
    found = rank_models(*_study(same))
    assert list(found["rank"]) == [1, 1, 1]
    assert list(found["tied"]) == [2, 2, 2]
    assert list(found["rank_low"]) == [1, 1, 1]
    assert list(found["rank_high"]) == [3, 3, 3]
    assert found["most_robust"].to_numpy() == pytest.approx([1 / 3] * 3)


def test_the_smallest_difference_is_that_of_a_paired_test():
    """Two models: the standard deviation of the differences per image, with half an image on each side."""
    verdicts = _draw(np.random.default_rng(2), [0.4, 0.6])
    error = np.sqrt((verdicts[0] - verdicts[1]).var(ddof=1) / 200 + 1 / 200**2)
    found = rank_models(*_study(verdicts))
    expected = (stats.norm.ppf(0.975) + stats.norm.ppf(0.8)) * error
    assert found["smallest_difference"].to_numpy() == pytest.approx([expected] * 2, rel=1e-5)


def test_rank_intervals_are_those_of_a_loop_over_resamples_and_pairs():
    verdicts = _draw(np.random.default_rng(3), [0.3, 0.35, 0.4, 0.5, 0.52, 0.7], images=150)
    accuracy = verdicts.mean(axis=1, dtype=np.float64)
    rng = np.random.default_rng([ranking.SEED, 150])
    samples = [rng.integers(150, size=150) for _ in range(ranking.MOST_RESAMPLES)]
    drawn = np.array([verdicts[:, sample].mean(axis=1, dtype=np.float64) for sample in samples])
    found = estimate_ranks(verdicts, accuracy, np.zeros(6))
    for one in range(6):
        others = [other for other in range(6) if other != one]
        error = {
            other: np.sqrt((verdicts[one] - verdicts[other]).var(ddof=1) / 150 + 1 / 150**2) for other in others
        }
        largest = [
            max(abs(d[one] - d[other] - accuracy[one] + accuracy[other]) / error[other] for other in others)
            for d in drawn
        ]
        margin = np.quantile(largest, 0.95)
        z = np.array([(accuracy[other] - accuracy[one]) / error[other] for other in others])
        assert found["rank_low"][one] == 1 + (z > margin).sum()
        assert found["rank_high"][one] == 6 - (z < -margin).sum()
    assert found["most_robust"] == pytest.approx(
        [(drawn.argmax(axis=1) == at).mean() for at in range(6)], abs=0.02
    )


def test_the_intervals_cover_the_true_ranks_of_close_models():
    """40 studies of 8 models, of which three are equal; docs/statistics.md has the coverage of more studies."""
    rng = np.random.default_rng(4)
    accuracies = np.array([0.30, 0.30, 0.30, 0.34, 0.38, 0.42, 0.46, 0.60])
    covered = []
    for _ in range(40):
        verdicts = _draw(rng, accuracies)
        found = estimate_ranks(verdicts, verdicts.mean(axis=1, dtype=np.float64), np.zeros(8))
        low = 1 + (accuracies[:, None] < accuracies).sum(axis=1)
        high = 8 - (accuracies[:, None] > accuracies).sum(axis=1)
        covered.append((found["rank_low"] <= low) & (found["rank_high"] >= high))
    assert np.mean(covered) > 0.9


def test_images_that_an_audit_did_not_search_widen_the_intervals():
    verdicts = _draw(np.random.default_rng(5), [0.3, 0.5, 0.7], images=400)
    table, bits = _study(verdicts)
    r = table["robust_accuracy"]
    error = np.sqrt(r * (1 - r) / 400 + 0.1**2)
    exact, audited = rank_models(table, bits), rank_models(table.assign(robust_error=error), bits)
    assert list(exact["rank_high"] - exact["rank_low"]) == [0, 0, 0]
    assert (audited["rank_high"] - audited["rank_low"]).sum() > 2
    assert (audited["smallest_difference"] > 0.2).all()


def test_models_without_verdicts_have_a_rank_and_a_note():
    table, bits = _study(_draw(np.random.default_rng(6), [0.3, 0.5]))
    found = rank_models(table, {key: value for key, value in bits.items() if key[0] == "m0"})
    assert list(found["rank"]) == [1, 2]
    assert found["rank_low"].isna().all()
    assert set(found["note"]) == {"verdicts on the same images are not available for every model"}
