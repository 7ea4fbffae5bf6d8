"""The schedules of the papers, worked out by hand where they can be."""

import pytest
import torch

from alignsec.engine.attacks import apgd_l1, square
from alignsec.engine.attacks.apgd import checkpoints
from alignsec.engine.attacks.square import sides


def test_apgd_of_a_hundred_steps_checks_where_the_paper_says():
    """Croce & Hein 2020, sec. 3.1: p = 0, 0.22, 0.41, 0.57, 0.70, 0.80, 0.87, 0.93, 0.99."""
    looks = checkpoints(100)
    at = [index for index, look in enumerate(looks) if look]
    assert at == [22, 41, 57, 70, 80, 87, 93, 99]
    assert [looks[index] for index in at] == [22, 19, 16, 13, 10, 7, 6, 6]


@pytest.mark.parametrize("steps", [1, 2, 3, 10, 1000])
def test_apgd_of_any_length_has_a_look_for_every_pass(steps):
    looks = checkpoints(steps)
    assert len(looks) == steps + 1
    assert looks[0] == 0
    assert sum(looks) <= steps


def test_apgd_in_l1_takes_a_hundred_steps_in_three_balls():
    """30, 30 and 40, with a pass more at the start of each, and a look back at each step."""
    legs = apgd_l1.legs(100)
    assert [[leg.ball for leg in legs].count(ball) for ball in range(3)] == [31, 31, 41]
    assert [at for at, leg in enumerate(legs) if leg.starts] == [0, 31, 62]
    assert [at for at, leg in enumerate(legs) if leg.ends] == [30, 61, 102]
    assert all(leg.looks != leg.starts for leg in legs)


@pytest.mark.parametrize(("steps", "looks"), [(3, 3), (10, 10), (200, 60 // 2 * 2 + 80 // 3)])
def test_apgd_in_l1_of_any_length_has_a_leg_for_every_pass(steps, looks):
    legs = apgd_l1.legs(steps)
    assert len(legs) == steps + 3
    assert sum(leg.looks for leg in legs) == looks
    assert [leg.ball for leg in legs] == sorted(leg.ball for leg in legs)


@pytest.mark.parametrize(
    ("query", "linf", "l2"),
    [(0, 200, 201), (10, 200, 201), (11, 142, 143), (51, 100, 101), (201, 71, 71), (8001, 9, 9)],
)
def test_squares_shrink_by_the_schedule_of_ten_thousand_queries(query, linf, l2):
    assert (side(query, 224, 224, "Linf"), side(query, 224, 224, "L2")) == (linf, l2)


def side(query, height, width, norm):
    return int(sides(torch.tensor([query]), height, width, norm))


def test_squares_fit_the_image():
    assert side(0, 2, 9, "L2") == 2
    assert side(9000, 8, 8, "Linf") == 1
    assert side(9000, 8, 8, "L2") == 3


@pytest.mark.parametrize("norm", ["L2", "L1"])
@pytest.mark.parametrize("size", [1, 2, 3, 5, 44, 201])
def test_a_window_s_pattern_has_norm_one_and_two_signs(size, norm):
    pattern, turned = square.pyramids(size, norm, torch.device("cpu"))
    assert torch.equal(pattern.T, turned)
    assert pattern.norm(p=2 if norm == "L2" else 1).item() == pytest.approx(1, abs=1e-5)
    assert (pattern[: size // 2] >= 0).all()
    assert (pattern[size // 2 :] <= 0).all()


def test_positions_and_masks_name_the_same_pixels():
    images = torch.zeros(2, 1, 6, 7)
    top, left = torch.tensor([0, 3]), torch.tensor([4, 1])
    mask = square.inside(images, top, left, torch.tensor([3, 3])).flatten(1)
    marked = torch.zeros(2, 42).scatter(1, square.positions(top, left, 3, 7).squeeze(1), 1.0)
    assert torch.equal(mask.float(), marked)
