"""Tests of correlations with one family left out."""

import numpy as np
import pandas as pd

from aggregate.scores import scores
from aggregate.statistics import leave_family_out


def _leave_out(alignment, robust, family):
    names = [f"m{at}" for at in range(len(alignment))]
    table = pd.DataFrame({
        "model": names, "attack": "aa", "norm": "Linf", "eps": "1/255", "eps_value": 1 / 255,
        "robust_accuracy": np.array(robust, dtype=float), "clean_accuracy": 0.9,
    })  # fmt: skip
    text = "Model,average_vision\n" + "".join(f"{n},{a}\n" for n, a in zip(names, alignment, strict=True))
    found = leave_family_out.leave_families_out(
        table, scores.parse_scores(text.encode()), dict(zip(names, family, strict=True))
    )
    return {row.left_out: row for row in found.itertuples()}


def test_a_correlation_that_depends_on_one_family():
    """Family b is high in both values. Without it, the ranks are 1 2 3 4 and 4 3 2 1."""
    found = _leave_out([1, 2, 3, 4, 11, 12, 13, 14], [0.4, 0.3, 0.2, 0.1, 0.6, 0.7, 0.8, 0.9], "aaaabbbb")
    without_b, without_a = found["b"], found["a"]
    assert (without_b.n, without_b.left_out_models, without_b.spearman_r) == (4, 4, -1.0)
    assert round(without_b.slope, 9) == -0.1
    assert without_b.spearman_p == 2 / 24
    assert (without_a.spearman_r, round(without_a.slope, 9)) == (1.0, 0.1)


def test_too_few_remaining_models_have_a_note():
    found = _leave_out([1, 2, 3, 4, 5], [0.1, 0.2, 0.3, 0.4, 0.5], "aaaab")
    assert found["a"].note == "only 1 model has both a score and an outcome; at least 4 are needed"
    assert np.isnan(found["a"].spearman_r)
    assert found["b"].spearman_r == 1


def test_all_models_of_one_family():
    (row,) = _leave_out([1, 2, 3, 4], [0.1, 0.2, 0.3, 0.4], "aaaa").values()
    assert (row.left_out_models, row.n, row.note) == (4, 0, "every model is of this family")


def test_models_without_a_known_family_are_never_left_out():
    assert set(_leave_out([1, 2, 3, 4, 5], [0.1, 0.2, 0.3, 0.4, 0.5], ["", "", "a", "a", "a"])) == {"a"}
