"""The share of the variance between models that comes from the sample of images."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from aggregate.statistics import sampling


def _study(verdicts: np.ndarray):
    """Return the table and the packed bits of verdicts of shape (models, images)."""
    names = [f"m{at}" for at in range(len(verdicts))]
    table = pd.DataFrame(
        {
            "model": names, "attack": "aa", "norm": "Linf", "eps": "1/255", "eps_value": 1 / 255,
            "images": verdicts.shape[1], "robust_accuracy": verdicts.mean(axis=1),
        }
    )  # fmt: skip
    return table, {(name, "aa", "1/255"): np.packbits(row) for name, row in zip(names, verdicts, strict=True)}


def test_by_hand():
    """Two models on four images: MS(models) = 0.5, MS(residual) = 1/6, variance 0.125, so a third is sampling."""
    verdicts = np.array([[1, 1, 1, 0], [1, 0, 0, 0]], dtype=bool)
    (row,) = sampling.estimate_sampling(*_study(verdicts)).itertuples()
    assert (row.n, row.images) == (2, 4)
    assert row.variance == pytest.approx(0.125)
    assert row.share == pytest.approx(1 / 3)
    assert row.sampling_variance == pytest.approx(0.125 / 3)
    assert row.largest_r == pytest.approx((2 / 3) ** 0.5)


@pytest.mark.parametrize("images", [50, 200])
def test_fifty_one_models_reach_the_correlation_that_is_announced(images: int):
    """True accuracy .80 ± .03 on images of shared difficulty; the binomial formula announced 0.05 and 0.60."""
    announced, reached = [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        accuracy = rng.normal(0.8, 0.03, size=51).clip(0.5, 0.97)
        latent = np.sqrt(0.5) * rng.normal(size=images) + np.sqrt(0.5) * rng.normal(size=(51, images))
        verdicts = latent < stats.norm.ppf(accuracy)[:, None]
        (row,) = sampling.estimate_sampling(*_study(verdicts)).itertuples()
        announced.append(row.largest_r)
        reached.append(np.corrcoef(accuracy, verdicts.mean(axis=1))[0, 1])
    assert np.mean(announced) == pytest.approx(np.mean(reached), abs=0.06)


def test_models_that_are_equal_differ_by_sampling_alone():
    verdicts = np.random.default_rng(1).random((400, 100)) < 0.3
    assert sampling.estimate_sampling(*_study(verdicts))["share"].iloc[0] == pytest.approx(1, abs=0.12)


@pytest.mark.parametrize(
    ("verdicts", "note"),
    [
        (np.ones((1, 5), bool), "at least 2 models are needed"),
        (np.zeros((3, 10), bool), "robust accuracy is the same for all 3 models"),
    ],
)
def test_a_missing_share_has_a_reason(verdicts, note):
    (row,) = sampling.estimate_sampling(*_study(verdicts)).itertuples()
    assert row.note == note
    assert np.isnan(row.share)


def test_without_verdicts_of_every_model_no_share_is_given():
    table, bits = _study(np.random.default_rng(1).random((5, 40)) < 0.5)
    bits.pop(("m3", "aa", "1/255"))
    (row,) = sampling.estimate_sampling(table, bits).itertuples()
    assert row.note == "verdicts on the same images are not available for every model"
    assert np.isnan(row.largest_r)


def test_other_numbers_of_images_give_no_share():
    table, bits = _study(np.random.default_rng(1).random((5, 40)) < 0.5)
    table.loc[2, "images"] = 30
    (row,) = sampling.estimate_sampling(table, bits).itertuples()
    assert row.note == "verdicts on the same images are not available for every model"


def test_an_empty_table():
    table, bits = _study(np.ones((2, 3), bool))
    assert sampling.estimate_sampling(table.iloc[:0], bits).columns.tolist() == sampling.COLUMNS
