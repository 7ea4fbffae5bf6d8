"""APGD in Linf and L2: the schedule of its checks."""

import pytest

from alignsec.engine.attacks.apgd import check_intervals


def test_apgd_checks_at_the_steps_of_the_paper():
    """Reference: Croce & Hein 2020, section 3.1: p = 0, 0.22, 0.41, 0.57, 0.70, 0.80, 0.87, 0.93, 0.99."""
    intervals = check_intervals(100)
    at = [index for index, interval in enumerate(intervals) if interval]
    assert at == [22, 41, 57, 70, 80, 87, 93, 99]
    assert [intervals[index] for index in at] == [22, 19, 16, 13, 10, 7, 6, 6]


@pytest.mark.parametrize("steps", [1, 2, 3, 10, 1000])
def test_apgd_has_an_interval_for_every_pass(steps):
    intervals = check_intervals(steps)
    assert len(intervals) == steps + 1
    assert intervals[0] == 0
    assert sum(intervals) <= steps
