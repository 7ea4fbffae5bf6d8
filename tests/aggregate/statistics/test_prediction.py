"""Tests of cross-validated predictions."""

import numpy as np
import pandas as pd
import pytest

from aggregate.scores import scores
from aggregate.statistics import prediction


def _predict(n=40, *, columns=6, robust=None, clean=None, missing=0, families=8, header=None):
    """Predict from random benchmarks; robust and clean accuracies are independent of them unless given."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(n, columns))
    table = pd.DataFrame({
        "model": [f"m{at}" for at in range(n)], "attack": "aa", "norm": "Linf",
        "eps": "1/255", "eps_value": 1 / 255,
        "robust_accuracy": rng.uniform(size=n) if robust is None else robust(x),
        "clean_accuracy": rng.uniform(size=n) if clean is None else clean,
    })  # fmt: skip
    header = header or ["neural_vision", *(f"b{at}" for at in range(columns))]
    lines = [",".join(["Model", *header])]
    for at in range(n):
        cells = [
            "",
            *("" if at < missing and column == 0 else f"{x[at, column]:.6f}" for column in range(columns)),
        ]
        lines.append(",".join([f"m{at}", *cells[-len(header) :]]))
    family = {f"m{at}": f"f{at % families}" for at in range(n)}
    found, importance = prediction.compute_predictions(
        table, scores.parse_scores("\n".join(lines).encode()), family
    )
    (row,) = found.itertuples()
    return row, importance


def test_random_benchmarks_predict_nothing():
    row, importance = _predict()
    assert (row.n, row.benchmarks, row.alignment_benchmarks, row.note) == (40, 6, 6, "")
    for name in ("r2_cv", "r2_cv_of_alignment", "r2_cv_of_clean_alone", "r2_cv_with_clean", "r2_cv_new_families"):
        assert getattr(row, name) < 0.1, name
    assert importance["importance"].abs().max() < 0.2


def test_a_linear_relation_is_predicted_and_its_benchmark_is_important():
    row, importance = _predict(robust=lambda x: 0.5 + 0.1 * x[:, 2])
    assert row.r2_cv > 0.99
    assert row.r2_cv_of_clean_alone < 0.1
    assert importance["benchmark"].iloc[0] == "b2"
    assert importance["low"].iloc[0] > 0.5
    assert importance["importance"].iloc[1:].abs().max() < 0.01


@pytest.mark.parametrize(
    ("given", "note"),
    [
        ({"n": 19}, "only 19 models have both scores and an outcome; at least 20 are needed"),
        ({"robust": lambda x: np.zeros(len(x))}, "robust accuracy is the same for all 40 models"),
        ({"columns": 1, "missing": 25}, "only 15 models have both scores and an outcome; at least 20 are needed"),
    ],
)
def test_a_missing_number_has_a_reason(given, note):
    row, importance = _predict(**given)
    assert row.note == note
    assert np.isnan([row.r2_cv, row.r2_cv_of_alignment, row.r2_cv_with_clean]).all()
    assert importance.empty


def test_a_benchmark_with_few_scores_is_left_out():
    assert _predict(missing=21)[0].benchmarks == 5
    assert _predict(missing=20)[0].benchmarks == 6


def test_without_clean_accuracy_only_benchmarks_predict():
    row, _ = _predict(clean=[np.nan, *[0.5] * 39])
    assert row.note == "clean accuracy is unknown for 1 of 40 models"
    assert not np.isnan(row.r2_cv)
    assert np.isnan([row.r2_cv_of_clean_alone, row.r2_cv_with_clean, row.r2_cv_of_alignment_with_clean]).all()


def test_benchmarks_without_a_category_are_not_alignment():
    row, _ = _predict(header=[f"b{at}" for at in range(6)])
    assert (row.alignment_benchmarks, row.note) == (0, "no benchmark is known to be neural or behavioural")
    assert np.isnan([row.r2_cv_of_alignment, row.r2_cv_of_alignment_with_clean]).all()
    assert not np.isnan(row.r2_cv)


def test_too_few_families_are_not_held_out():
    row, _ = _predict(families=4)
    assert row.note == "holding out families needs at least 5 families"
    assert np.isnan(row.r2_cv_new_families)
