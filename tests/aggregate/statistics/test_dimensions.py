"""Tests of principal components, metric types, loadings and the mean over budgets."""

import numpy as np
import pytest

from aggregate.scores.metric_types import OTHER, PROPERTIES, find_metric_type
from aggregate.statistics.budget_networks import MEAN_BUDGET, iter_budgets
from aggregate.statistics.components import find_components, mean_of_known, metric_type_means, standardise
from aggregate.statistics.dimensions import find_dimensions
from aggregate.statistics.family_correlation import correlate
from aggregate.statistics.image_error import estimate_image_error
from tests.aggregate.statistics.simulated_study import simulated_study


def test_components_are_the_eigenvectors_of_the_correlation_matrix():
    values = np.random.default_rng(1).normal(size=(40, 5)) @ np.random.default_rng(2).normal(size=(5, 5))
    components, variance = find_components(standardise(values))
    eigenvalues = np.linalg.eigvalsh(np.corrcoef(values, rowvar=False))[::-1]
    assert variance == pytest.approx(eigenvalues / 5)
    assert components.var(axis=0) == pytest.approx(eigenvalues)
    assert np.corrcoef(components, rowvar=False) == pytest.approx(np.eye(5), abs=1e-9)


def test_a_network_without_scores_has_no_component_and_no_mean():
    values = np.random.default_rng(3).normal(size=(10, 3))
    values[4] = np.nan
    values[5, 0] = np.nan
    assert np.isnan(find_components(standardise(values))[0][4]).all()
    assert np.isnan(mean_of_known(values)[4])
    assert mean_of_known(values)[5] == pytest.approx(values[5, 1:].mean())


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("MajajHong2015.IT-pls", "pls"),
        ("Geirhos2021colour-error_consistency", "error_consistency"),
        ("Marques2020_Ringach2002-max_dc", PROPERTIES),
        ("my score", OTHER),
    ],
)
def test_the_metric_type_follows_from_the_name(name: str, kind: str):
    assert find_metric_type(name) == kind


def test_metric_types_are_means_of_their_benchmarks():
    values = np.arange(12.0).reshape(4, 3)
    found = metric_type_means(["a-pls", "b-rdm", "c-pls"], values)
    assert found["pls"] == pytest.approx(values[:, [0, 2]].mean(axis=1))
    assert found["rdm"] == pytest.approx(values[:, 1])


def test_dimensions_have_the_correlation_of_their_values():
    table, scores, networks, robust = simulated_study(1.0, seed=2)
    found, loadings = find_dimensions(table, scores, networks, robust)
    budget, first = next(iter_budgets(table, networks, robust))
    names, values = first.named_benchmarks(scores, ("neural_vision", "behavior_vision"))
    components, variance = find_components(standardise(values))
    row = found[(found["eps"] == budget[2]) & (found["kind"] == "component") & (found["given"] != "")].iloc[0]
    expected, _ = correlate(components[:, 0], first.measured)
    assert (row["r"], row["low"]) == pytest.approx((expected.r, expected.low))
    assert row["variance"] == pytest.approx(variance[0])
    assert row["p_familywise"] >= 1 / 5000
    one = loadings[loadings["component"] == "1"]
    by_name = {
        name: np.corrcoef(column, components[:, 0])[0, 1] for name, column in zip(names, values.T, strict=True)
    }
    assert dict(zip(one["benchmark"], one["loading"], strict=True)) == pytest.approx(by_name)
    assert one["loading"].abs().is_monotonic_decreasing


def test_the_mean_over_budgets_has_the_mean_accuracy_and_the_error_of_mean_verdicts():
    table, _, networks, robust = simulated_study(0.0)
    *_, (budget, found) = iter_budgets(table, networks, robust)
    assert budget[2] == MEAN_BUDGET
    means = table.groupby("model", sort=False)["robust_accuracy"].mean()
    assert found.measured.robust == pytest.approx(means[[names[0] for names in found.names]].to_numpy())
    count = int(table["images"].iloc[0])
    attack, levels = table["attack"].iloc[0], list(table["eps"].unique())
    clean, survived = [], []
    for (name,) in found.names:
        clean.append(np.unpackbits(networks.clean[name], count=count))
        survived.append(np.mean([np.unpackbits(robust[name, attack, eps], count=count) for eps in levels], axis=0))
    expected = estimate_image_error(np.array(clean, float), np.array(survived))
    assert found.measured.error.both == pytest.approx(expected.both)


def test_a_model_without_one_budget_is_not_in_the_mean():
    table, _, networks, robust = simulated_study(0.0)
    *_, (_, found) = iter_budgets(table.iloc[1:], networks, robust)
    assert table["model"].iloc[0] not in {name for names in found.names for name in names}


def test_without_scores_there_is_nothing():
    table, _, networks, robust = simulated_study(0.0)
    assert all(frame.empty for frame in find_dimensions(table, None, networks, robust))
