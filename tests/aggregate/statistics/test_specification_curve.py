"""The specification curve: one estimate for each defensible choice, and a joint test."""

from aggregate.statistics.specification_curve import CONTROLS, MODEL_SETS, specification_curve
from tests.aggregate.statistics.simulated_study import simulated_study


def test_every_combination_of_choices_has_a_row():
    curve, summary = specification_curve(*simulated_study(0.0))
    sizes = [len(set(curve[name])) for name in ("eps", "scores", "control", "models")]
    assert sizes == [2, 3, len(CONTROLS), len(MODEL_SETS)]
    # The average exists for both categories together only; two other ways to aggregate exist for each set.
    assert len(curve) == 2 * (3 + 2 + 2) * len(CONTROLS) * len(MODEL_SETS)
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
