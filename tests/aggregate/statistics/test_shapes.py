"""Tests of curved relations: the estimate, its errors, and the shapes that are named."""

import dataclasses

import numpy as np
import pytest
import statsmodels.api as sm

from aggregate.statistics.family_correlation import Measured, normal_scores
from aggregate.statistics.shapes import estimate_curvature, find_shapes
from tests.aggregate.statistics.simulated_study import simulated_study

FAMILIES = np.repeat(np.arange(30), 3)


def test_the_estimate_is_the_partial_correlation_of_the_square():
    """The square and robust accuracy are regressed on the score, clean accuracy and its square (statsmodels)."""
    rng = np.random.default_rng(1)
    score, clean = rng.normal(size=(2, 90))
    robust = 0.3 * clean + 0.2 * score**2 + rng.normal(size=90)
    x, c = normal_scores(score), clean - clean.mean()
    design = sm.add_constant(np.column_stack([x, c, c**2]))
    residuals = [sm.OLS(values, design).fit().resid for values in (x**2, robust)]
    found, turning, _ = estimate_curvature(score, Measured(robust, FAMILIES, clean))
    assert found.r == pytest.approx(np.corrcoef(*residuals)[0, 1], abs=1e-9)
    fit = sm.OLS(robust, np.column_stack([x**2, x, np.ones(90), c])).fit().params
    assert turning == pytest.approx((x < -fit[1] / (2 * fit[0])).mean(), abs=0.02)


def test_a_u_shape_is_named_and_a_line_is_not():
    table, scores, networks, _ = simulated_study(0.0)
    columns = [column for column in scores.columns if column.name == "average_vision"]
    one = dataclasses.replace(scores, columns=tuple(columns))
    names = list(dict.fromkeys(table["model"]))
    place = dict(zip(names, np.linspace(-2, 2, len(names))[np.random.default_rng(2).permutation(60)], strict=True))
    one = dataclasses.replace(one, rows={name: {"average_vision": place[name]} for name in names})
    x = table["model"].map(place)
    curved = find_shapes(table.assign(robust_accuracy=0.3 + 0.1 * x**2), one, networks, {})
    assert set(curved["shape"]) == {"U"}
    assert curved["turning_point"].to_numpy() == pytest.approx(0.5, abs=0.06)
    falling = find_shapes(table.assign(robust_accuracy=0.7 - 0.1 * x**2), one, networks, {})
    assert set(falling["shape"]) == {"inverted U"}
    noise = np.random.default_rng(3).normal(size=len(x)) * 0.1
    line = find_shapes(table.assign(robust_accuracy=0.5 + 0.1 * x + noise), one, networks, {})
    assert set(line["shape"]) == {""}
    assert "mean over budgets" in set(line["eps"])


def test_without_scores_there_is_nothing():
    table, _, networks, robust = simulated_study(0.0)
    assert find_shapes(table, None, networks, robust).empty
