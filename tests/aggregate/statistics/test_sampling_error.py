"""Tests of intervals for the sampling error of images, against the binomial distribution."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from aggregate.scores.scores import ScoreColumn, Scores
from aggregate.statistics import partial, resampling, sampling_error


def _joined(n=30, images=100, *, clean=0.1):
    """Return joined rows: robust accuracy is a noisy linear function of alignment, and clean accuracy is above
    it."""
    rng = np.random.default_rng(1)
    x = np.linspace(0, 1, n)
    robust = np.rint((0.2 + 0.5 * x + rng.normal(0, 0.03, n)) * 100) / 100
    above = np.rint(robust * 100 + 100 * clean * rng.uniform(0.2, 1, n)) / 100
    return pd.DataFrame({"alignment": x, "robust_accuracy": robust, "clean_accuracy": above, "images": images})


def test_interval_of_the_slope_follows_from_binomials():
    """Var(slope) = sum of (x - mean)^2 p(1 - p)/m over Sxx squared; the ends are 1.96 standard errors away."""
    joined = _joined()
    x, p = joined["alignment"] - joined["alignment"].mean(), joined["robust_accuracy"]
    error = np.sqrt((x**2 * p * (1 - p) / 100).sum()) / (x**2).sum()
    found = sampling_error.estimate_intervals(joined)
    assert found.slope_images_low == pytest.approx(found.slope - 1.96 * error, abs=0.25 * error)
    assert found.slope_images_high == pytest.approx(found.slope + 1.96 * error, abs=0.25 * error)


def test_more_images_reduce_the_error_of_images_but_not_that_of_models():
    few, many = (sampling_error.estimate_intervals(_joined(images=images)) for images in (100, 1_000_000))
    assert many.spearman_images_high - many.spearman_images_low < 0.02
    assert few.slope_images_high - few.slope_images_low > 50 * (many.slope_images_high - many.slope_images_low)
    assert few.spearman_images_low < few.spearman_r < few.spearman_images_high
    assert many.slope_both_high - many.slope_both_low > 0.02
    assert few.partial_images_low < few.partial_r < few.partial_images_high


def test_intervals_are_reproducible():
    assert sampling_error.estimate_intervals(_joined()) == sampling_error.estimate_intervals(_joined())


@pytest.mark.parametrize(
    ("joined", "note"),
    [
        (_joined(n=3), "only 3 models have both a score and an outcome; at least 4 are needed"),
        (_joined().assign(robust_accuracy=0.0), "robust accuracy is the same for all 30 models"),
        (_joined().assign(images=pd.array([None] * 30, dtype="Int64")),
         "the number of images is unknown"),
    ],
)  # fmt: skip
def test_a_missing_number_has_a_reason(joined, note):
    assert sampling_error.estimate_intervals(joined) == sampling_error.SamplingIntervals(len(joined), note=note)


@pytest.mark.parametrize(
    ("joined", "note"),
    [
        (_joined(n=7).assign(clean_accuracy=[0.7, 0.9, 0.8, 0.95, 0.75, 0.85, 0.99]),
         "an interval over models needs at least 8"),
        (_joined().assign(clean_accuracy=np.nan), "clean accuracy is unknown for 30 of 30 models"),
        (_joined(clean=0.0), "robust accuracy and clean accuracy rank the models identically"),
        (_joined(clean=-0.1),
         "some images are right only when corrupted, so clean accuracy cannot be resampled with them"),
    ],
)  # fmt: skip
def test_a_missing_part_leaves_the_other_numbers(joined, note):
    found = sampling_error.estimate_intervals(joined)
    assert found.note == note
    assert found.spearman_images_low is not None
    assert (found.spearman_both_low is None) == (len(joined) == 7)
    assert (found.partial_images_low is None) == (len(joined) != 7)


def _by_definition(joined):
    """Return the ends of all intervals, computed resample by resample with plain functions."""
    x, robust, clean = (joined[name].to_numpy() for name in ("alignment", "robust_accuracy", "clean_accuracy"))
    images, n = joined["images"].to_numpy(), len(x)
    rng = np.random.default_rng([resampling.SEED, n])
    drawn = rng.binomial(images, robust, size=(resampling.RESAMPLES, n))
    models = rng.integers(n, size=drawn.shape)
    rest = rng.binomial(images - drawn, ((clean - robust) / (1 - robust)).clip(0, 1))
    y, z = drawn / images, (drawn + rest) / images
    found = {
        "spearman_images": [],
        "slope_images": [],
        "spearman_both": [],
        "slope_both": [],
        "partial_images": [],
    }
    for at, drawn_models in enumerate(models):
        found["spearman_images"].append(stats.spearmanr(x, y[at]).statistic)
        found["slope_images"].append(stats.linregress(x, y[at]).slope)
        found["spearman_both"].append(stats.spearmanr(x[drawn_models], y[at][drawn_models]).statistic)
        found["slope_both"].append(stats.linregress(x[drawn_models], y[at][drawn_models]).slope)
        found["partial_images"].append(partial.compute_partial(x, y[at], z[at]).r)
    counted = {
        "spearman": stats.spearmanr(x, robust).statistic,
        "slope": stats.linregress(x, robust).slope,
        "partial": partial.compute_partial(x, robust, clean).r,
    }
    ends = {}
    for name, values in found.items():
        observed = counted[name.partition("_")[0]]
        bend, unbend = (np.array, np.array) if "slope" in name else (np.arctanh, np.tanh)
        low, middle, high = np.quantile(bend(values), [0.025, 0.5, 0.975])
        ends |= {f"{name}_low": unbend(bend(observed) + low - middle)}
        ends |= {f"{name}_high": unbend(bend(observed) + high - middle)}
    return ends


def test_every_end_agrees_with_the_plain_definition():
    """The scores have ties. The numbers of images differ, and small ones give accuracies with ties."""
    joined = _joined(n=24)
    joined = joined.assign(
        alignment=joined["alignment"].round(1), clean_accuracy=joined["clean_accuracy"].clip(upper=1),
        images=[20, 25, 50] * 8,
    )  # fmt: skip
    found = sampling_error.estimate_intervals(joined)
    for name, end in _by_definition(joined).items():
        assert getattr(found, name) == pytest.approx(end, abs=1e-12), name


def test_scores_that_share_resamples_have_the_same_intervals_as_alone():
    """The rows are ordered by score. One score lacks a model, so it has its own resamples."""
    tables = [_joined(n=12).assign(model=[*"abcdefghijkl"], attack="x", norm="Linf", eps=eps, eps_value=float(eps))
              for eps in ("1", "2")]  # fmt: skip
    tables[1]["robust_accuracy"] /= 2
    columns = tuple(ScoreColumn(name, "category", name) for name in ("one_vision", "two_vision", "three_vision"))
    rows = {name: {"one_vision": at, "two_vision": at % 5} for at, name in enumerate("abcdefghijkl")}
    for name in [*rows][1:]:
        rows[name]["three_vision"] = -(rows[name]["one_vision"] ** 2)
    found = sampling_error.compute_sampling_intervals(pd.concat(tables), Scores(columns, rows))
    assert list(found["score"]) == [column.name for column in columns for _ in tables]
    assert list(found["eps"]) == ["1", "2"] * 3
    for row in found.itertuples():
        part = tables[int(row.eps) - 1]
        score = part["model"].map({name: of[row.score] for name, of in rows.items() if row.score in of})
        alone = sampling_error.estimate_intervals(part.assign(alignment=score.astype("float64"))[score.notna()])
        expected = [getattr(alone, name) for name in sampling_error.NUMBERS]
        expected = [math.nan if value is None else value for value in expected]
        np.testing.assert_array_equal([getattr(row, name) for name in sampling_error.NUMBERS], expected)
        assert row.n == (11 if row.score == "three_vision" else 12)
