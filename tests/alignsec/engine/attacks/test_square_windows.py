"""Windows of Square: patterns, masks and positions."""

import pytest
import torch

from alignsec.engine.attacks.square_windows import window_mask, window_patterns, window_positions


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
