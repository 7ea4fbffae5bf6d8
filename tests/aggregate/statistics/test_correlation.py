"""Tests of correlations against numbers computed by hand, and of the reasons for missing numbers."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from aggregate.scores import scores
from aggregate.statistics import correlation


def _correlate(x, y):
    return correlation.compute_correlation(np.array(x, dtype=float), np.array(y, dtype=float))


def test_least_squares_and_pearson_by_hand():
    """x = 1..5, y = 2 1 4 3 5: Sxy = 8, Sxx = Syy = 10, so slope 0.8, intercept 0.6, r 0.8, R2 0.64.

    t = r sqrt(3 / (1 - r2)) = 2.3094 on 3 degrees of freedom: p = 0.1041.
    """
    found = _correlate([1, 2, 3, 4, 5], [2, 1, 4, 3, 5])
    assert (found.n, found.note) == (5, "an interval needs at least 8 models")
    assert found.slope == pytest.approx(0.8)
    assert found.intercept == pytest.approx(0.6)
    assert found.pearson_r == pytest.approx(0.8)
    assert found.r2 == pytest.approx(0.64)
    assert found.ols_p == pytest.approx(0.1041, abs=5e-5)
    assert found.pearson_p == pytest.approx(found.ols_p)


def test_spearman_by_hand():
    """Differences of ranks 1 1 1 1 0: r = 1 - 6·4 / (5·24) = 0.8; 16 of 120 orders are as extreme."""
    found = _correlate([1, 2, 3, 4, 5], [20, 10, 400, 300, 5000])
    assert found.spearman_r == pytest.approx(0.8)
    assert found.spearman_p == pytest.approx(16 / 120)


@pytest.mark.parametrize(("n", "p"), [(4, 2 / 24), (5, 2 / 120), (8, 2 / 40320)])
def test_p_of_a_perfect_order_of_few_models_is_above_0(n, p):
    """Student's t gives p = 0, although only n! orders exist."""
    assert correlation.compute_spearman(np.arange(n) * 1.0, -np.arange(n) * 1.0) == pytest.approx((-1.0, p))


def test_p_of_a_perfect_order_of_many_models_is_above_0():
    assert correlation.compute_spearman(np.arange(10) * 1.0, np.arange(10) * 1.0)[1] == pytest.approx(2 / 3628800)


def test_ties_get_average_ranks():
    """Ranks 1 2.5 2.5 4 against 1 2 3 4: Sxy = 4.5, Sxx = 4.5, Syy = 5, so r = sqrt(0.9)."""
    assert _correlate([1, 2, 2, 3], [0.1, 0.2, 0.3, 0.4]).spearman_r == pytest.approx(0.9**0.5)


def test_exact_and_approximate_p_agree_at_eight_models():
    for x, y in np.random.default_rng(3).normal(size=(20, 2, 8)):
        approximate = stats.spearmanr(x, y)
        r, p = correlation.compute_spearman(x, y)
        assert r == pytest.approx(approximate.statistic)
        assert p == pytest.approx(approximate.pvalue, abs=0.03)


@pytest.mark.parametrize(
    ("x", "y", "note"),
    [
        ([], [], "no model has both a score and an outcome"),
        ([1], [1], "only 1 model has both a score and an outcome; at least 4 are needed"),
        ([1, 2, 3], [1, 2, 3], "only 3 models have both a score and an outcome; at least 4 are needed"),
        ([1, 2, 3, 4], [0, 0, 0, 0], "robust accuracy is the same for all 4 models"),
        ([5, 5, 5, 5], [1, 2, 3, 4], "the score is the same for all 4 models"),
        ([0.3, 0.1 + 0.2, 0.3, 0.3], [1, 2, 3, 4], "the score is the same for all 4 models"),
    ],
)
def test_a_missing_number_has_a_reason(x, y, note):
    found = _correlate(x, y)
    assert found.note == note
    numbers = {name: getattr(found, name) for name in found.__dataclass_fields__ if name not in ("n", "note")}
    assert set(numbers.values()) == {None}


def _table(robust):
    return pd.DataFrame(
        {
            "model": [f"m{at}" for at in range(len(robust))],
            "attack": "aa",
            "norm": "Linf",
            "eps": "1/255",
            "eps_value": 1 / 255,
            "robust_accuracy": robust,
            "clean_accuracy": 0.9,
        }
    )


def test_every_score_has_a_row_and_missing_scores_reduce_n():
    text = (
        "Model,average_vision,neural_vision,V1,V2\n"
        "m0,1,1,1,\nm1,2,2,,\nm2,3,3,3,\nm3,4,4,4,\nm4,5,5,5,\nother,9,9,9,9\n"
    )
    found = correlation.compute_correlations(_table([0.1, 0.2, 0.3, 0.4, 0.5]), scores.parse_scores(text.encode()))
    assert list(zip(found["score"], found["level"], found["category"], found["n"], strict=True)) == [
        ("average_vision", "average", "", 5),
        ("neural_vision", "category", "neural_vision", 5),
        ("V1", "benchmark", "neural_vision", 4),
        ("V2", "benchmark", "neural_vision", 0),
    ]
    assert found["slope"].iloc[0] == pytest.approx(0.1)
    assert found["note"].iloc[3] == "no model has both a score and an outcome"


def test_a_score_without_models_has_a_note():
    found = correlation.compute_correlations(_table([0.1, 0.2]), scores.parse_scores(b"Model,V1,V2\nm0,,1\n"))
    assert found.set_index("score")["note"]["V1"] == "no model has this score"


def test_no_scores_or_no_rows_give_an_empty_table_with_columns():
    none = correlation.compute_correlations(_table([0.1]), None)
    empty = correlation.compute_correlations(_table([]), scores.parse_scores(b"Model,V1\nm0,1\n"))
    assert len(none) == len(empty) == 0
    assert {"spearman_r", "r2", "note"} <= set(none.columns) == set(empty.columns)


def test_p_under_many_ties_is_that_of_permutations():
    """Seven of ten robust accuracies are 0: 720 different orders, all of which can be counted."""
    y = np.array([0, 0, 0, 0, 0, 0, 0, 0.1, 0.2, 0.3])
    x = np.array([3, 1, 4, 2, 6, 5, 7, 8, 10, 9], dtype=np.float64)
    ranks_x, ranks_y = (stats.rankdata(v) - 5.5 for v in (x, y))
    products = []
    for places in itertools.permutations(range(10), 3):
        order = np.full(10, ranks_y[0])
        order[list(places)] = ranks_y[7:]
        products.append(abs(order @ ranks_x))
    exact = np.mean(np.array(products) >= abs(ranks_x @ ranks_y) - 1e-9)
    r, p = correlation.compute_spearman(x, y)
    assert r == pytest.approx(stats.spearmanr(x, y).statistic)
    assert p == pytest.approx(exact, abs=4 * math.sqrt(exact / 9999))
    assert abs(stats.spearmanr(x, y).pvalue - exact) > 0.002  # Student's t is not exact enough here


def test_an_average_is_corrected_together_with_the_categories():
    rows = "".join(f"m{at},{at},{(3 * at) % 7}\n" for at in range(7))
    text = f"Model,average_vision,neural_vision\n{rows}"
    found = correlation.compute_correlations(
        _table([at / 10 for at in range(7)]), scores.parse_scores(text.encode())
    )
    assert found["spearman_p"].iloc[0] < found["spearman_p"].iloc[1] / 2
    assert found["spearman_q"].iloc[0] == pytest.approx(2 * found["spearman_p"].iloc[0])
