"""The table that the report's claims rest on."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from aggregate.statistics.adjusted_correlations import (
    ALL,
    COMPLETE,
    GIVEN_CLEAN,
    GIVEN_COVERAGE,
    adjusted_correlations,
    claims,
)
from tests.aggregate.statistics.simulated_study import simulated_study


def test_one_row_per_attack_budget_score_and_adjustment():
    found = adjusted_correlations(*simulated_study(0.0))
    # Two budgets: 11 scores with and without clean accuracy, and two more questions about the average.
    assert len(found) == 2 * (2 * 11 + 2)
    assert set(found["given"]) == {"", GIVEN_CLEAN, GIVEN_COVERAGE}
    assert set(found["models"]) == {ALL, COMPLETE}
    assert (found["coverage"] == 1).all()
    assert set(found["sampling"]) == {"verdicts"}
    assert (found["n"] == 60).all()
    assert (found["low"] < found["r"]).all()
    assert (found["r"] < found["high"]).all()
    tested = found[found["p_familywise"].notna()]
    assert (tested["p_familywise"] >= np.maximum(tested["p"], 1 / 5000)).all()


def test_an_effect_of_neural_scores_is_claimed_and_behaviour_is_not():
    claimed = claims(adjusted_correlations(*simulated_study(1.0, seed=2)))
    names = set(claimed["score"])
    assert {f"neural-{at}" for at in range(6)} <= names
    assert not {name for name in names if name.startswith("behaviour")}


def test_scores_that_only_follow_clean_accuracy_are_related_but_not_claimed():
    found = adjusted_correlations(*simulated_study(0.0, seed=4))
    marginal = found[(found["given"] == "") & (found["score"] == "average_vision")]
    assert (marginal["low"] > 0.2).all()
    assert claims(found).empty


def test_a_network_under_three_names_counts_once():
    table, scores, networks, robust = simulated_study(0.5)
    alone = adjusted_correlations(table, scores, networks, robust)
    names = ("copy", "again")
    more = [table[table["model"] == "m00"].assign(model=name) for name in names]
    bits = {(name, attack, eps): b for (m, attack, eps), b in robust.items() if m == "m00" for name in names}
    together = adjusted_correlations(
        pd.concat([table, *more], ignore_index=True),
        dataclasses.replace(scores, rows={**scores.rows, **dict.fromkeys(names, scores.rows["m00"])}),
        dataclasses.replace(
            networks,
            family={**networks.family, **dict.fromkeys(names, networks.family["m00"])},
            clean={**networks.clean, **dict.fromkeys(names, networks.clean["m00"])},
            network=dict.fromkeys(("m00", *names), "weights"),
        ),
        {**robust, **bits},
    )
    assert together["n"].tolist() == alone["n"].tolist()
    assert np.allclose(together["r"], alone["r"])


def test_without_verdicts_the_sampling_error_is_a_bound_from_counts():
    table, scores, networks, _ = simulated_study(0.5)
    found = adjusted_correlations(table, scores, networks, {})
    assert set(found["sampling"]) == {"counts"}


def test_without_image_counts_the_sampling_error_is_unknown():
    table, scores, networks, robust = simulated_study(0.5)
    found = adjusted_correlations(table.assign(images=np.nan), scores, networks, robust)
    assert set(found["sampling"]) == {"unknown"}


def test_published_clean_accuracy_replaces_the_measured_one():
    """With the true accuracies published, measured ones that are pure noise do not matter."""
    table, scores, networks, robust = simulated_study(0.5)
    truth = table.drop_duplicates("model").set_index("model")["clean_accuracy"].to_dict()
    noise = np.random.default_rng(3).uniform(0.5, 0.9, size=len(truth))
    noisy = table.assign(clean_accuracy=table["model"].map(dict(zip(truth, noise, strict=True))))
    networks = dataclasses.replace(networks, published=truth)
    found, expected = (adjusted_correlations(rows, scores, networks, robust) for rows in (noisy, table))
    assert np.allclose(found["r"], expected["r"])
    assert set(found[found["given"] == GIVEN_CLEAN]["clean"]) == {"published"}
    del truth["m00"], truth["m01"]
    mixed = adjusted_correlations(table, scores, dataclasses.replace(networks, published=truth), robust)
    assert set(mixed[mixed["given"] == GIVEN_CLEAN]["clean"]) == {"published for 58 of 60, others measured"}


def test_coverage_is_a_covariate_and_a_filter():
    """Half of the models lack a benchmark; their average counts it as 0, so only coverage relates it to y."""
    table, scores, networks, robust = simulated_study(0.0, seed=5)
    means = table.groupby("model")[["robust_accuracy", "clean_accuracy"]].mean()
    slope, start = np.polyfit(means["clean_accuracy"], means["robust_accuracy"], 1)
    strong = (means["robust_accuracy"] - start - slope * means["clean_accuracy"]).nlargest(30).index
    rows = {}
    for model, row in scores.rows.items():
        kept = {key: value for key, value in row.items() if model in strong or key != "behaviour-0"}
        rows[model] = {**kept, "average_vision": row["average_vision"] - (0 if model in strong else 9)}
    found = adjusted_correlations(table, dataclasses.replace(scores, rows=rows), networks, robust)
    average = found[(found["score"] == "average_vision") & (found["eps"] == "1/255")]
    average = average.set_index(["given", "models"])
    assert average.loc[(GIVEN_CLEAN, ALL), "r"] > 0.3
    assert abs(average.loc[(GIVEN_COVERAGE, ALL), "r"]) < average.loc[(GIVEN_CLEAN, ALL), "r"] / 2
    assert average.loc[(GIVEN_CLEAN, COMPLETE), "n"] == 60
    assert average.loc[(GIVEN_CLEAN, ALL), "coverage"] == pytest.approx(0.95)


def test_no_scores_give_an_empty_table():
    table, _, networks, robust = simulated_study(0.0)
    assert adjusted_correlations(table, None, networks, robust).empty
    assert claims(adjusted_correlations(table, None, networks, robust)).empty


@pytest.mark.parametrize("seed", [11, 12, 13])
def test_the_order_of_models_changes_nothing(seed: int):
    table, scores, networks, robust = simulated_study(0.5, seed)
    found = adjusted_correlations(table, scores, networks, robust)
    shuffled = table.sample(frac=1, random_state=seed).sort_values("eps_value", kind="stable")
    again = adjusted_correlations(shuffled, scores, networks, robust)
    assert np.allclose(found["r"], again["r"])
    assert np.allclose(found["p"], again["p"])


def test_the_rows_for_claims_alone_are_those_of_the_whole_table():
    study = simulated_study(0.5, seed=6)
    whole, part = adjusted_correlations(*study), adjusted_correlations(*study, claims_only=True)
    rows = whole[(whole["given"] == GIVEN_CLEAN) & (whole["models"] == ALL)].reset_index(drop=True)
    pd.testing.assert_frame_equal(part, rows)
