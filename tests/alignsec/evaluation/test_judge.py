"""Judge: which adversarial images count."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from alignsec.evaluation.judge import ROUNDING, confirm, distances, tolerance
from tests.tiny_networks import classifier

EXCESS = 4e-7
"""Three float32 steps near 1: more than rounding causes, far less than any change by an attack."""


class ConstantNetwork(nn.Module):
    """A network that gives the same logits for every image."""

    def __init__(self, *logits: float) -> None:
        super().__init__()
        self.logits = torch.tensor(logits)

    def forward(self, images: Tensor) -> Tensor:
        """Logits, N x classes."""
        return self.logits.expand(len(images), -1)


CLASS_ONE = classifier(ConstantNetwork(0.0, 1.0))
"""A classifier that classifies every image as class 1."""


def counts(clean: Tensor, adversarial: Tensor, norm: str = "Linf", eps: float = 0.1, label: int = 0) -> list[bool]:
    labels = torch.full((len(clean),), label)
    found: list[bool] = confirm(CLASS_ONE, clean, adversarial, labels, norm, eps).tolist()  # type: ignore[arg-type]
    return found


def grey(value: float, pixels: int = 4) -> Tensor:
    return torch.full((1, 1, 1, pixels), value)


@pytest.mark.parametrize("eps", [1 / 255, 4 / 255, 0.001, 0.5 / 255, 0.3])
@pytest.mark.parametrize("value", [0.0, 0.1, 0.37, 0.5, 0.69])
def test_point_on_border_counts(eps: float, value: float):
    """Every attack computes x + eps in float32, which rounding puts slightly outside or inside the budget."""
    clean = grey(value)
    assert counts(clean, clean + eps, eps=eps) == [True]


@given(st.floats(0, 1, width=32), st.floats(0.001, 0.5), st.sampled_from([-1, 1]))
def test_border_counts_and_slightly_more_does_not(value: float, eps: float, sign: int):
    clean = grey(value)
    border = clean + sign * eps
    if not 0 <= float(border[0, 0, 0, 0]) <= 1:
        return
    assert counts(clean, border, eps=eps) == [True]
    beyond = clean.double() + sign * (eps + EXCESS)
    if 0 <= float(beyond[0, 0, 0, 0]) <= 1:
        assert counts(clean, beyond.float(), eps=eps) == [False]


@given(st.sampled_from(["L2", "L1"]), st.integers(1, 300), st.floats(0.1, 2), st.integers(0, 2**31))
def test_border_in_l2_and_l1(norm: str, pixels: int, eps: float, seed: int):
    """A perturbation of length eps in float32 counts; one that is a thousandth longer does not."""
    direction = torch.randn(1, 1, 1, pixels, generator=torch.Generator().manual_seed(seed))
    direction = direction / direction.norm(p=2 if norm == "L2" else 1)
    clean = grey(0.5, pixels)
    length = eps if float((direction * eps).abs().max()) <= 0.49 else 0.4
    assert counts(clean, clean + direction * length, norm, length) == [True]
    assert counts(clean, clean + direction * length * 1.001, norm, length) == [False]


@pytest.mark.parametrize("far", [EXCESS, 0.001, 0.5])
def test_one_pixel_outside_budget_is_rejected(far: float):
    clean = grey(0.2, 100)
    adversarial = clean + 0.1
    adversarial[0, 0, 0, 57] += far
    assert counts(clean, adversarial) == [False]


@pytest.mark.parametrize(("clean", "value"), [(0.02, -1e-7), (0.0, -0.05), (0.98, 1.0000002), (1.0, 1.05)])
def test_pixels_outside_range_are_rejected(clean: float, value: float):
    """The points are within eps, but not in [0,1]."""
    assert counts(grey(clean), grey(value)) == [False]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_non_finite_pixels_are_rejected(value: float):
    adversarial = grey(0.5)
    adversarial[0, 0, 0, 1] = value
    assert counts(grey(0.5), adversarial) == [False]
    assert counts(grey(0.5), adversarial, "L2", 1000.0) == [False]


def test_correctly_classified_image_is_rejected():
    assert counts(grey(0.5), grey(0.55), label=1) == [False]


@pytest.mark.parametrize("logits", [(math.nan, 1.0), (0.0, math.inf), (math.nan, math.nan), (-math.inf, 0.0)])
def test_non_finite_logits_are_rejected(logits: tuple[float, float]):
    found = confirm(classifier(ConstantNetwork(*logits)), grey(0.5), grey(0.55), torch.tensor([0]), "Linf", 0.1)
    assert found.tolist() == [False]


def test_images_of_batch_are_judged_separately():
    """The batch has a valid image, one too far away, one not finite, one out of range, and a valid one."""
    clean = torch.full((5, 1, 2, 2), 0.95)
    adversarial = clean.clone()
    for index, value in enumerate((0.9, 0.8, math.nan, 1.01, 0.99)):
        adversarial[index, 0, 1, 1] = value
    assert counts(clean, adversarial) == [True, False, False, False, True]


def test_eps_of_zero_allows_no_change():
    assert counts(grey(0.5), grey(0.5), eps=0.0) == [True]
    assert counts(grey(0.5), grey(0.501), eps=0.0) == [False]


@given(st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=20))
def test_distances_equal_definition(difference: list[float]):
    """Distances are the largest absolute difference, the sum, and the root of the sum of squares, in float64."""
    clean = torch.zeros(1, 1, 1, len(difference))
    other = torch.tensor(difference).view(1, 1, 1, -1)
    assert float(distances(clean, other, "Linf")) == max(abs(d) for d in difference)
    assert float(distances(clean, other, "L1")) == pytest.approx(math.fsum(map(abs, difference)))
    assert float(distances(clean, other, "L2")) == pytest.approx(math.dist(difference, [0] * len(difference)))


def test_tolerance_is_rounding():
    """The tolerance is one float32 step in every pixel value.

    At 3 x 224 x 224 pixels this is 0.01 % of an eps of 0.5 in L2, and 0.03 % of an eps of 60 in L1.
    """
    assert tolerance(torch.zeros(1, 8, 8), "Linf") == ROUNDING
    assert tolerance(torch.zeros(3, 224, 224), "L2") == pytest.approx(4.6e-5, rel=0.01)
    assert tolerance(torch.zeros(3, 224, 224), "L1") == pytest.approx(0.018, rel=0.01)
