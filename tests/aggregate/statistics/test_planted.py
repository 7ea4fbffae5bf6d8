"""Tests of all statistics on two synthetic studies: one with an effect of alignment, one with a confounder only.

Alignment correlates with robust accuracy in both. In the first study it is the cause. In the second, both depend
on clean accuracy, and models of equal clean accuracy show no correlation.
"""

import numpy as np
import pandas as pd
import pytest

from aggregate import formatting
from aggregate.report import findings
from aggregate.scores import scores
from aggregate.statistics import tables
from aggregate.statistics.networks import Networks

MODELS, IMAGES = 96, 1000
FAMILIES = ("resnet", "vit", "swin", "vgg", "convnext", "deit")


def _study(seed, *, cause):
    """Return a table and its statistics. The scores are four neural benchmarks and ImageNet-top1, a noisy clean
    accuracy."""
    rng = np.random.default_rng(seed)
    skill = rng.normal(size=MODELS)
    alignment = rng.normal(size=MODELS) if cause else 0.8 * skill + 0.6 * rng.normal(size=MODELS)
    right = 0.75 + 0.07 * skill
    kept = 0.5 + 0.1 * (alignment if cause else skill) + 0.03 * rng.normal(size=MODELS)
    clean = rng.binomial(IMAGES, right.clip(0.05, 0.98))
    robust = rng.binomial(clean, kept.clip(0.02, 0.98))
    models = [f"{FAMILIES[at % 6]}{at}" for at in range(MODELS)]
    table = pd.DataFrame({
        "model": models, "attack": "aa", "method": "autoattack", "norm": "Linf",
        "eps": "1/255", "eps_value": 1 / 255,
        "images": IMAGES, "clean_accuracy": clean / IMAGES, "robust": robust, "robust_accuracy": robust / IMAGES,
        "robust_low": 0.0, "robust_high": 1.0,
    })  # fmt: skip
    noisy = alignment[:, None] + 0.4 * rng.normal(size=(MODELS, 4))
    lines = ["Model,neural_vision,n1,n2,n3,n4,engineering_vision,ImageNet-top1"]
    for at, model in enumerate(models):
        cells = [noisy[at].mean(), *noisy[at], *[right[at] + 0.005 * rng.normal()] * 2]
        lines.append(",".join([model, *(f"{cell:.5f}" for cell in cells)]))
    family = {model: FAMILIES[at % 6] for at, model in enumerate(models)}
    return table, tables.compute_tables(table, scores.parse_scores("\n".join(lines).encode()), Networks(family))


@pytest.fixture(scope="module")
def effect():
    return _study(1, cause=True)


@pytest.fixture(scope="module")
def confound():
    return _study(2, cause=False)


def _of(frame, score):
    (row,) = frame[frame["score"] == score].itertuples()
    return row


def test_both_studies_have_a_correlation(effect, confound):
    for _, found in (effect, confound):
        row = _of(found.correlations, "neural_vision")
        assert row.spearman_r > 0.5
        assert row.spearman_q < 0.001
        assert row.spearman_low > 0.3


def test_the_effect_remains_given_clean_accuracy(effect):
    _, found = effect
    row, fit = _of(found.correlations, "neural_vision"), _of(found.regressions, "neural_vision")
    assert row.partial_r > 0.8
    assert row.partial_q < 0.001
    # With four noisy measurements the slope is 0.75 · 0.1 · 1 / (1 + 0.16 / 4).
    assert fit.slope_given_clean_low < 0.072 < fit.slope_given_clean_high
    assert fit.r2_with_clean - fit.r2_of_clean_alone > 0.4
    benchmarks = found.correlations[found.correlations["category"] == "neural_vision"]
    assert (benchmarks["partial_q"] < 0.05).all()


def test_the_confounder_leaves_no_partial_correlation_or_slope(confound):
    _, found = confound
    row, fit = _of(found.correlations, "neural_vision"), _of(found.regressions, "neural_vision")
    assert abs(row.partial_r) < 0.25
    assert row.partial_q > 0.05
    assert fit.slope_given_clean_low < 0 < fit.slope_given_clean_high
    assert fit.r2_with_clean - fit.r2_of_clean_alone < 0.03
    benchmarks = found.correlations[found.correlations["score"].str.match(r"n\d")]
    assert (benchmarks["spearman_q"] < 0.001).all()
    assert (benchmarks["partial_q"] > 0.05).all()


def test_prediction_separates_alignment_from_clean_accuracy(effect, confound):
    (of_effect,), (of_confound,) = (study[1].prediction.itertuples() for study in (effect, confound))
    assert (of_effect.benchmarks, of_effect.alignment_benchmarks) == (5, 4)
    assert of_effect.r2_cv_of_alignment > 0.5
    assert of_effect.r2_cv_of_alignment_with_clean > of_effect.r2_cv_of_clean_alone + 0.4
    # Alignment predicts here too, but adds nothing to clean accuracy.
    assert of_confound.r2_cv_of_alignment > 0.3
    assert of_confound.r2_cv_of_alignment_with_clean < of_confound.r2_cv_of_clean_alone + 0.03
    # All benchmarks together predict well because one of them is clean accuracy.
    assert of_confound.r2_cv > of_confound.r2_cv_of_alignment + 0.1
    assert of_confound.r2_cv_new_families > 0.5


def test_importance_finds_the_causes(effect, confound):
    of_effect, of_confound = (
        study[1].importance.set_index("benchmark")["importance"] for study in (effect, confound)
    )
    assert of_effect.drop("ImageNet-top1").sum() > 0.3
    assert of_confound.drop("ImageNet-top1").sum() < 0.1
    assert of_confound.idxmax() == "ImageNet-top1"


def test_the_effect_does_not_depend_on_one_family(effect):
    _, found = effect
    rows = found.families[found.families["score"] == "neural_vision"]
    assert sorted(rows["left_out"]) == sorted(FAMILIES)
    assert set(rows["n"]) == {80}
    assert (rows["spearman_r"] > 0.5).all()


def test_resampled_images_keep_the_effect_and_the_confounder(effect, confound):
    of_effect, of_confound = (_of(study[1].propagated, "neural_vision") for study in (effect, confound))
    for row in (of_effect, of_confound):
        assert row.spearman_both_low < row.spearman_images_low < row.spearman_r
        assert row.spearman_images_high < row.spearman_both_high
        assert row.slope_images_low < row.slope < row.slope_images_high
        assert row.spearman_both_low > 0.3
    assert of_effect.partial_images_low > 0.7
    assert of_confound.partial_images_high < 0.4


def test_findings_describe_effect_and_confounder(effect, confound):
    of_effect, of_confound = (
        " ".join(findings.summarize_attacks(*study)[0].sentences).replace("\xa0", " ")
        for study in (effect, confound)
    )
    left = formatting.format_decimal(_of(effect[1].correlations, "neural_vision").partial_r)
    assert (
        f"given measured clean accuracy, at eps 1/255, as in Hoak et al. (2025): neural {left} (q < 0.001, n = 96)"
        in of_effect
    )
    assert "from the 4 neural and behavioural ones" in of_confound
