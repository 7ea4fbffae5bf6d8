"""How much chance is in a difference between models: known where the models are made by hand."""

import numpy as np
import pandas as pd
import pytest

from aggregate.statistics import sampling


def _table(counts, images):
    return pd.DataFrame(
        {
            "model": [f"m{at}" for at in range(len(counts))],
            "attack": "aa",
            "norm": "Linf",
            "eps": "1/255",
            "eps_value": 1 / 255,
            "images": images,
            "robust_accuracy": np.array(counts, dtype=float) / images,
        }
    )


def test_by_hand():
    """4 and 8 of 10: variance 0.08; (0.4·0.6 + 0.8·0.2) / 2 / 9 = 0.0222, a share of 0.278."""
    (row,) = sampling.estimate_sampling(_table([4, 8], 10)).itertuples()
    assert (row.n, row.images) == (2, 10)
    assert row.variance == pytest.approx(0.08)
    assert row.sampling_variance == pytest.approx(0.2 / 9)
    assert row.share == pytest.approx(0.2 / 9 / 0.08)
    assert row.largest_r == pytest.approx((1 - 0.2 / 9 / 0.08) ** 0.5)


def test_models_that_are_all_the_same_differ_by_chance_alone():
    counts = np.random.default_rng(1).binomial(100, 0.3, size=3000)
    assert sampling.estimate_sampling(_table(counts, 100))["share"].iloc[0] == pytest.approx(1, abs=0.05)


def test_a_known_spread_is_found_under_the_chance():
    """True shares uniform on 0.2 to 0.8: variance 0.03, plus mean p(1 - p)/20 = 0.011 of chance."""
    rng = np.random.default_rng(2)
    counts = rng.binomial(20, rng.uniform(0.2, 0.8, size=5000))
    row = sampling.estimate_sampling(_table(counts, 20)).iloc[0]
    assert row["sampling_variance"] == pytest.approx(0.011, abs=0.0005)
    assert row["variance"] - row["sampling_variance"] == pytest.approx(0.03, abs=0.001)


@pytest.mark.parametrize(
    ("counts", "note"),
    [([5], "at least 2 models are needed"), ([0, 0, 0], "robust accuracy is the same for all 3 models")],
)
def test_no_share_where_there_is_none(counts, note):
    (row,) = sampling.estimate_sampling(_table(counts, 10)).itertuples()
    assert row.note == note
    assert np.isnan(row.share)


def test_an_empty_table():
    assert sampling.estimate_sampling(_table([], 10)).columns.tolist() == sampling.COLUMNS
