"""APGD in L1: the schedule of its balls and checks."""

import pytest

from alignsec.engine.attacks import apgd_l1


def test_apgd_l1_takes_its_steps_in_three_balls():
    """Expect 30, 30 and 40 of 100 steps, one more pass at the start of each ball, and a check after each step."""
    passes = apgd_l1.plan_passes(100)
    assert [[one.ball for one in passes].count(ball) for ball in range(3)] == [31, 31, 41]
    assert [at for at, one in enumerate(passes) if one.starts] == [0, 31, 62]
    assert [at for at, one in enumerate(passes) if one.ends] == [30, 61, 102]
    assert all(one.checks != one.starts for one in passes)


@pytest.mark.parametrize(("steps", "checks"), [(3, 3), (10, 10), (200, 60 // 2 * 2 + 80 // 3)])
def test_apgd_l1_plans_every_pass(steps, checks):
    passes = apgd_l1.plan_passes(steps)
    assert len(passes) == steps + 3
    assert sum(one.checks for one in passes) == checks
    assert [one.ball for one in passes] == sorted(one.ball for one in passes)
