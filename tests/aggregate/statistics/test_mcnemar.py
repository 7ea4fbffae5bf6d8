"""Tests of McNemar's test against statsmodels, a published table, and counts by hand."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import hypergeom
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar

from aggregate.figures import comparison
from aggregate.report import table_rows
from aggregate.statistics import mcnemar

COLUMNS = ["model", "attack", "norm", "eps", "eps_value", "images", "robust"]


def _compare(**verdicts):
    """Compare models whose verdicts are strings of 1 (robust) and 0."""
    rows, bits = [], {}
    for model, text in verdicts.items():
        robust = np.array([letter == "1" for letter in text])
        rows.append((model, "aa", "Linf", "1/255", 1 / 255, len(text), int(robust.sum())))
        bits[model, "aa", "1/255"] = np.packbits(robust)
    return mcnemar.compare_models(pd.DataFrame(rows, columns=COLUMNS), bits)


def test_p_by_hand():
    """On nine of ten discordant images the same model is robust: p = 2 (1 + 10) / 2^10."""
    assert mcnemar.compute_p([9, 1, 0, 3], [1, 9, 0, 3]) == pytest.approx([22 / 1024, 22 / 1024, 1, 1])


def test_a_published_table():
    """121 against 59 of 314 (Wikipedia's example of the test): chi-squared 21.35, so p is near 4e-6."""
    assert mcnemar.compute_p(121, 59) == pytest.approx(4e-6, rel=0.25)


def test_p_agrees_with_statsmodels():
    for b, c in np.random.default_rng(1).integers(0, 60, size=(50, 2)):
        expected = statsmodels_mcnemar([[10, b], [c, 10]], exact=True).pvalue
        assert mcnemar.compute_p(b, c) == pytest.approx(expected)


def test_counts_of_discordant_images():
    found = _compare(weak="1000000000", strong="1111111110", same="1111111110")
    assert found[["model_a", "model_b", "images", "only_a", "only_b"]].to_numpy().tolist() == [
        ["same", "strong", 10, 0, 0],
        ["same", "weak", 10, 8, 0],
        ["strong", "weak", 10, 8, 0],
    ]
    assert found["p"].tolist() == pytest.approx([1, 2 / 256, 2 / 256])
    assert found["q"].tolist() == pytest.approx([1, 3 / 256, 3 / 256])


def test_models_of_equal_accuracy_with_different_images():
    """Ten images are robust for one model only, and ten for the other only, so p is 1."""
    found = _compare(a="1" * 10 + "0" * 10, b="0" * 10 + "1" * 10)
    assert found[["only_a", "only_b", "p"]].to_numpy().tolist() == [[10, 10, 1.0]]


def test_only_models_with_equal_numbers_of_images_are_compared():
    found = _compare(a="1100", b="1000", c="11111")
    assert found[["model_a", "model_b"]].to_numpy().tolist() == [["a", "b"]]


def test_no_pair_gives_an_empty_table():
    for table in (_compare(a="10"), _compare(), mcnemar.compare_models(pd.DataFrame([], columns=COLUMNS), {})):
        assert (list(table.columns), len(table)) == (mcnemar.COLUMNS, 0)
    row = pd.DataFrame([("a", "aa", "Linf", "1", 1.0, 2, 1), ("b", "aa", "Linf", "1", 1.0, 2, 1)], columns=COLUMNS)
    assert mcnemar.compare_models(row, {}).empty


def test_with_many_models_only_the_most_robust_are_compared(monkeypatch):
    monkeypatch.setattr(mcnemar, "MAX_MODELS", 2)
    found = _compare(a="100", b="110", c="111")
    assert found[["model_a", "model_b"]].to_numpy().tolist() == [["c", "b"]]
    table = pd.DataFrame([(model, "aa", "1/255") for model in "abc"], columns=["model", "attack", "eps"])
    (summary,) = table_rows.summarize_comparisons(found, table)
    assert (summary.models, summary.answered, summary.pairs) == (2, 3, 1)
    (drawing,) = comparison.make_drawings(found)
    assert drawing.description.endswith("Only the 2 most robust models are compared.")


def test_audited_models_get_an_upper_bound_of_p():
    """Expect at least the p of every truth that the bound allows: up to 3 of the first model's images break."""
    bound = float(mcnemar.bound_p(20, 5, 3, 9))
    for on_both in range(4):
        for on_one in range(4 - on_both):
            assert bound >= float(mcnemar.compute_p(20 - on_one, 5 + on_both))
    assert bound == pytest.approx(float(mcnemar.compute_p(20, 8)) + mcnemar.BOUND_ERROR)
    assert float(mcnemar.bound_p(5, 20, 9, 3)) == bound
    assert float(mcnemar.bound_p(20, 5, 15, 0)) == 1
    assert float(mcnemar.bound_p(20, 5, 0, 0)) == float(mcnemar.compute_p(20, 5))


def test_the_bound_of_unsearched_images_is_exact():
    """Expect 0 if all survivors were audited, and the hypergeometric bound of both strata otherwise."""
    counts = {"near_survivors": 10, "near_audited": 10, "near_broken": 2}
    all_audited = SimpleNamespace(**counts, far_survivors=70, far_audited=70, far_broken=1)
    assert mcnemar.bound_unsearched(all_audited) == 0
    some = SimpleNamespace(**counts, far_survivors=70, far_audited=50, far_broken=1)
    broken = 1 + mcnemar.bound_unsearched(some)
    assert hypergeom.cdf(1, 70, broken, 50) > mcnemar.BOUND_ERROR / 4 >= hypergeom.cdf(1, 70, broken + 1, 50)
    assert mcnemar.bound_unsearched(SimpleNamespace(near_survivors=pd.NA)) == 0
