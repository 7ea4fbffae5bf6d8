"""Tests of regressions against published numbers and against regressions of residuals."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from aggregate.scores import scores
from aggregate.statistics import regression

# Anscombe 1973, The American Statistician 27, 17-21.
X = [10, 8, 13, 9, 11, 14, 6, 4, 12, 7, 5]
QUARTET = [
    (X, [8.04, 6.95, 7.58, 8.81, 8.33, 9.96, 7.24, 4.26, 10.84, 4.82, 5.68]),
    (X, [9.14, 8.14, 8.74, 8.77, 9.26, 8.10, 6.13, 3.10, 9.13, 7.26, 4.74]),
    (X, [7.46, 6.77, 12.74, 7.11, 7.81, 8.84, 6.08, 5.39, 8.15, 6.42, 5.73]),
    ([8, 8, 8, 8, 8, 8, 8, 19, 8, 8, 8], [6.58, 5.76, 7.71, 8.84, 8.47, 7.04, 5.25, 12.50, 5.56, 7.91, 6.89]),
]


def _fit(*values):
    return regression.fit_regressions(*(np.array(v, dtype=float) for v in values))


@pytest.mark.parametrize(("x", "y"), QUARTET)
def test_anscombes_quartet(x, y):
    """Anscombe 1973: y = 3.00 + 0.500 x, standard error of the slope 0.118, R2 = 0.667; t(9) at 97.5 % is
    2.262."""
    found = _fit(x, y)
    assert (found.n, found.note) == (11, "")
    assert found.intercept == pytest.approx(3.00, abs=0.005)
    assert found.slope == pytest.approx(0.500, abs=0.0005)
    assert found.r2 == pytest.approx(0.667, abs=0.001)
    assert found.slope_low == pytest.approx(0.5 - 2.262 * 0.118, abs=0.001)
    assert found.slope_high == pytest.approx(0.5 + 2.262 * 0.118, abs=0.001)
    assert found.f_p == pytest.approx(0.00217, abs=2e-5)


def test_slope_given_clean_accuracy_is_the_slope_of_residuals():
    """Frisch & Waugh 1933: regress the residuals given clean accuracy on each other."""
    rng = np.random.default_rng(1)
    clean = rng.uniform(0.5, 0.9, 30)
    score = clean + rng.normal(0, 0.1, 30)
    robust = 0.5 * clean + 0.2 * score + rng.normal(0, 0.02, 30)
    found = _fit(score, robust, clean)
    left = [sm.OLS(v, sm.add_constant(clean)).fit().resid for v in (robust, score)]
    assert found.slope_given_clean == pytest.approx(float(left[0] @ left[1] / (left[1] @ left[1])))
    assert found.slope_given_clean_low < 0.2 < found.slope_given_clean_high
    assert found.r2_of_clean_alone == pytest.approx(np.corrcoef(clean, robust)[0, 1] ** 2)
    assert found.r2_with_clean > max(found.r2_of_clean_alone, found.r2)


@pytest.mark.parametrize(
    ("clean", "note"),
    [
        ([0.7] * 8, "clean accuracy is the same for all 8 models"),
        ([2, 1, 4, 3, 6, 5, 8, 7], "the score is a linear function of clean accuracy"),
        ([1, 2, 3, 4, 5, 6, 7, 9], "robust accuracy is a linear function of clean accuracy"),
    ],
)
def test_a_missing_slope_given_clean_accuracy_has_a_reason(clean, note):
    found = _fit([2, 1, 4, 3, 6, 5, 8, 7], [1, 2, 3, 4, 5, 6, 7, 9], clean)
    assert (found.slope_given_clean, found.note) == (None, note)
    assert found.slope is not None


def test_too_few_models_have_a_note_and_a_perfect_line_has_a_slope():
    assert _fit([1, 2, 3], [1, 2, 3]).note.startswith("only 3 models have both")
    perfect = _fit([1, 2, 3, 4], [0.1, 0.2, 0.3, 0.4], [1, 4, 2, 8])
    assert (perfect.r2, perfect.slope) == (pytest.approx(1.0), pytest.approx(0.1))
    assert perfect.note == "a regression with clean accuracy needs at least 6 models"


def test_every_average_has_a_row():
    table = pd.DataFrame(
        [
            (f"m{at}", attack, "Linf", "1/255", 1 / 255, 0.1 * at, 0.9 - 0.02 * at * at)
            for attack in ("a", "b")
            for at in range(8)
        ],
        columns=["model", "attack", "norm", "eps", "eps_value", "robust_accuracy", "clean_accuracy"],
    )
    text = "Model,average_vision,neural_vision,V1,V2\n" + "".join(
        f"m{at},{at},{at},{at},{at}\n" for at in range(8)
    )
    found = regression.compute_regressions(table, scores.parse_scores(text.encode()))
    assert list(zip(found["attack"], found["score"], strict=True)) == [
        (attack, score) for score in ("average_vision", "neural_vision") for attack in ("a", "b")
    ]
    assert found["slope"].tolist() == pytest.approx([0.1] * 4)
    assert regression.compute_regressions(table, None).columns.tolist() == found.columns.tolist()
