"""The specification curve: one estimate for each defensible choice, and a joint test."""

import dataclasses

import numpy as np
import pytest

from aggregate.statistics.budget_networks import iter_budgets
from aggregate.statistics.family_correlation import correlate
from aggregate.statistics.specification_curve import CONTROLS, MODEL_SETS, specification_curve
from tests.aggregate.statistics.simulated_study import simulated_study


def test_every_combination_of_choices_has_a_row():
    curve, summary = specification_curve(*simulated_study(0.0))
    sizes = [len(set(curve[name])) for name in ("eps", "scores", "control", "models")]
    assert sizes == [3, 3, len(CONTROLS), len(MODEL_SETS)]
    # Two budgets and their mean. The average, and metric types of several benchmarks, exist for both categories
    # together only; two other ways to aggregate exist for each set.
    assert len(curve) == 3 * (4 + 2 + 2) * len(CONTROLS) * len(MODEL_SETS)
    assert not curve.duplicated(["eps", "scores", "aggregation", "control", "models"]).any()
    assert summary["specifications"].tolist() == [int(curve["p"].notna().sum())]


def test_a_strong_effect_agrees_in_sign_and_is_significant():
    curve, summary = specification_curve(*simulated_study(1.0, seed=2))
    neural = curve[(curve["scores"] == "neural") & (curve["control"] == "clean accuracy")]
    assert (neural["r"] > 0.3).all()
    assert summary["same_sign"].item() > 0.9
    assert summary["p"].item() < 0.05


def test_the_null_is_not_significant_jointly():
    p = [specification_curve(*simulated_study(0.0, seed))[1]["p"].item() for seed in (3, 4, 5, 6)]
    assert sorted(p)[1] > 0.05


def test_without_scores_there_is_nothing():
    table, _, networks, robust = simulated_study(0.0)
    curve, summary = specification_curve(table, None, networks, robust)
    assert curve.empty
    assert summary.empty


def test_metric_types_have_equal_weights_in_their_mean():
    """Five benchmarks of one type and one of another: the mean of types is between them with weights one half."""
    table, scores, networks, robust = simulated_study(1.0, seed=2)
    rename = {f"neural-{at}": f"neural{at}-{'rdm' if at == 5 else 'pls'}" for at in range(6)}
    renamed = dataclasses.replace(
        scores,
        columns=tuple(
            dataclasses.replace(column, name=rename.get(column.name, column.name)) for column in scores.columns
        ),
        rows={
            model: {rename.get(name, name): value for name, value in row.items()}
            for model, row in scores.rows.items()
        },
    )
    curve, _ = specification_curve(table, renamed, networks, robust)
    found = curve[(curve["aggregation"] == "mean of metric types") & (curve["scores"] == "neural")]
    assert len(found) == 3 * len(CONTROLS) * len(MODEL_SETS)
    _, first = next(iter_budgets(table, networks, robust))
    names, values = first.named_benchmarks(renamed, ("neural_vision",))
    z = (values - values.mean(axis=0)) / values.std(axis=0)
    rdm = np.array([name.endswith("rdm") for name in names])
    expected, _ = correlate((z[:, ~rdm].mean(axis=1) + z[:, rdm].mean(axis=1)) / 2, first.without_clean())
    row = found[(found["control"] == "none") & (found["models"] == "all")].iloc[0]
    assert row["r"] == pytest.approx(expected.r)
