"""Schedules of the attacks, compared with the values in the papers."""

import pytest
import torch

from alignsec.engine.attacks import apgd_l1
from alignsec.engine.attacks.apgd import check_intervals
from alignsec.engine.attacks.square import window_sides
from alignsec.engine.attacks.square_windows import window_mask, window_patterns, window_positions


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


@pytest.mark.parametrize(
    ("query", "linf", "l2"),
    [(0, 200, 201), (10, 200, 201), (11, 142, 143), (51, 100, 101), (201, 71, 71), (8001, 9, 9)],
)
def test_windows_shrink_by_the_schedule_of_ten_thousand_queries(query, linf, l2):
    assert (side(query, 224, 224, "Linf"), side(query, 224, 224, "L2")) == (linf, l2)


def side(query, height, width, norm):
    return int(window_sides(torch.tensor([query]), height, width, norm))


def test_windows_fit_the_image():
    assert side(0, 2, 9, "L2") == 2
    assert side(9000, 8, 8, "Linf") == 1
    assert side(9000, 8, 8, "L2") == 3


@pytest.mark.parametrize("norm", ["L2", "L1"])
@pytest.mark.parametrize("size", [1, 2, 3, 5, 44, 201])
def test_window_pattern_has_norm_one_and_two_signs(size, norm):
    pattern, turned = window_patterns(size, norm, torch.device("cpu"))
    assert torch.equal(pattern.T, turned)
    assert pattern.norm(p=2 if norm == "L2" else 1).item() == pytest.approx(1, abs=1e-5)
    assert (pattern[: size // 2] >= 0).all()
    assert (pattern[size // 2 :] <= 0).all()


def test_positions_and_masks_select_the_same_pixels():
    images = torch.zeros(2, 1, 6, 7)
    top, left = torch.tensor([0, 3]), torch.tensor([4, 1])
    mask = window_mask(images, top, left, torch.tensor([3, 3])).flatten(1)
    marked = torch.zeros(2, 42).scatter(1, window_positions(top, left, 3, 7).squeeze(1), 1.0)
    assert torch.equal(mask.float(), marked)
