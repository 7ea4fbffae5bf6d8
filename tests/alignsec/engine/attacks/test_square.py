"""Square: the schedule of its window sizes."""

import pytest
import torch

from alignsec.engine.attacks.square import window_sides


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
