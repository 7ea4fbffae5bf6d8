"""Tests of the correction for multiple testing against the example of Benjamini and Hochberg."""

import numpy as np
import pandas as pd
import pytest

from aggregate.statistics import multiple_testing

# The 15 p values of section 4.1 of the paper, from a trial of two treatments of heart attacks.
P = [
    0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459,
    0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0,
]  # fmt: skip


def test_example_of_the_paper():
    """At 5 % the procedure rejects the four smallest. The sixth's own 0.0278 · 15 / 6 is above the seventh's q."""
    q = multiple_testing.adjust_p(pd.DataFrame({"p": P[::-1], "family": 1}), "p", ["family"])[::-1]
    assert (q < 0.05).sum() == 4
    assert q.iloc[3] == pytest.approx(0.0095 * 15 / 4)
    assert q.iloc[4] == pytest.approx(0.0201 * 15 / 5)
    assert q.iloc[5] == pytest.approx(0.0298 * 15 / 7)
    assert q.iloc[-1] == 1


def test_families_are_corrected_separately_and_missing_p_values_do_not_count():
    table = pd.DataFrame({"p": [0.01, 0.02, np.nan, 0.02], "attack": list("aaab"), "eps": list("1112")})
    assert multiple_testing.adjust_p(table, "p", ["attack", "eps"]).tolist() == pytest.approx(
        [0.02, 0.02, np.nan, 0.02], nan_ok=True
    )


def test_nothing_to_correct():
    assert multiple_testing.adjust_p(pd.DataFrame({"p": [], "f": []}), "p", ["f"]).empty
