"""The judge: no attack is trusted to report its own success."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from alignsec.evaluation.judge import ROUNDING, confirm, distances, tolerance
from tests.tiny_networks import classifier

HAIR = 4e-7
"""Three steps of float32 near 1: far less than any attack means, more than rounding makes."""


class Always(nn.Module):
    """A network that gives the same logits for every image."""

    def __init__(self, *logits: float) -> None:
        super().__init__()
        self.logits = torch.tensor(logits)

    def forward(self, images: Tensor) -> Tensor:
        """Logits, N x classes."""
        return self.logits.expand(len(images), -1)


FOOLED = classifier(Always(0.0, 1.0))
"""Calls every image class 1."""


def counts(clean: Tensor, adversarial: Tensor, norm: str = "Linf", eps: float = 0.1, label: int = 0) -> list[bool]:
    labels = torch.full((len(clean),), label)
    found: list[bool] = confirm(FOOLED, clean, adversarial, labels, norm, eps).tolist()  # type: ignore[arg-type]
    return found


def grey(value: float, pixels: int = 4) -> Tensor:
    return torch.full((1, 1, 1, pixels), value)


@pytest.mark.parametrize("eps", [1 / 255, 4 / 255, 0.001, 0.5 / 255, 0.3])
@pytest.mark.parametrize("value", [0.0, 0.1, 0.37, 0.5, 0.69])
def test_a_point_on_the_border_counts(eps: float, value: float):
    """x + eps in float32, as every attack computes it, is rounded a little outside or inside."""
    clean = grey(value)
    assert counts(clean, clean + eps, eps=eps) == [True]


@given(st.floats(0, 1, width=32), st.floats(0.001, 0.5), st.sampled_from([-1, 1]))
def test_every_border_point_counts_and_a_hair_more_does_not(value: float, eps: float, sign: int):
    clean = grey(value)
    border = clean + sign * eps
    if not 0 <= float(border[0, 0, 0, 0]) <= 1:
        return
    assert counts(clean, border, eps=eps) == [True]
    beyond = clean.double() + sign * (eps + HAIR)
    if 0 <= float(beyond[0, 0, 0, 0]) <= 1:
        assert counts(clean, beyond.float(), eps=eps) == [False]


@given(st.sampled_from(["L2", "L1"]), st.integers(1, 300), st.floats(0.1, 2), st.integers(0, 2**31))
def test_the_border_in_l2_and_l1(norm: str, pixels: int, eps: float, seed: int):
    """A direction of length eps, computed in float32: within rounding it counts, a thousandth more does not."""
    direction = torch.randn(1, 1, 1, pixels, generator=torch.Generator().manual_seed(seed))
    direction = direction / direction.norm(p=2 if norm == "L2" else 1)
    clean = grey(0.5, pixels)
    far = eps if float((direction * eps).abs().max()) <= 0.49 else 0.4
    assert counts(clean, clean + direction * far, norm, far) == [True]
    assert counts(clean, clean + direction * far * 1.001, norm, far) == [False]


@pytest.mark.parametrize("far", [HAIR, 0.001, 0.5])
def test_one_pixel_outside_the_budget_is_refused(far: float):
    clean = grey(0.2, 100)
    adversarial = clean + 0.1
    adversarial[0, 0, 0, 57] += far
    assert counts(clean, adversarial) == [False]


@pytest.mark.parametrize(("clean", "value"), [(0.02, -1e-7), (0.0, -0.05), (0.98, 1.0000002), (1.0, 1.05)])
def test_outside_the_range_of_pixels_is_refused(clean: float, value: float):
    """Near enough, but no image."""
    assert counts(grey(clean), grey(value)) == [False]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_refused(value: float):
    adversarial = grey(0.5)
    adversarial[0, 0, 0, 1] = value
    assert counts(grey(0.5), adversarial) == [False]
    assert counts(grey(0.5), adversarial, "L2", 1000.0) == [False]


def test_correctly_classified_is_refused():
    assert counts(grey(0.5), grey(0.55), label=1) == [False]


@pytest.mark.parametrize("logits", [(math.nan, 1.0), (0.0, math.inf), (math.nan, math.nan), (-math.inf, 0.0)])
def test_logits_that_are_not_finite_prove_nothing(logits: tuple[float, float]):
    found = confirm(classifier(Always(*logits)), grey(0.5), grey(0.55), torch.tensor([0]), "Linf", 0.1)
    assert found.tolist() == [False]


def test_each_image_is_judged_alone():
    """In one batch: good, too far, not finite, outside, good."""
    clean = torch.full((5, 1, 2, 2), 0.95)
    adversarial = clean.clone()
    for index, value in enumerate((0.9, 0.8, math.nan, 1.01, 0.99)):
        adversarial[index, 0, 1, 1] = value
    assert counts(clean, adversarial) == [True, False, False, False, True]


def test_an_eps_of_zero_allows_nothing():
    assert counts(grey(0.5), grey(0.5), eps=0.0) == [True]
    assert counts(grey(0.5), grey(0.501), eps=0.0) == [False]


@given(st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=20))
def test_distances_are_those_of_the_definition(difference: list[float]):
    """In float64: the largest absolute difference, their sum, and the root of the sum of squares."""
    clean = torch.zeros(1, 1, 1, len(difference))
    other = torch.tensor(difference).view(1, 1, 1, -1)
    assert float(distances(clean, other, "Linf")) == max(abs(d) for d in difference)
    assert float(distances(clean, other, "L1")) == pytest.approx(math.fsum(map(abs, difference)))
    assert float(distances(clean, other, "L2")) == pytest.approx(math.dist(difference, [0] * len(difference)))


def test_the_tolerance_is_rounding_and_no_more():
    """One step of float32 in every value: at 3 x 224 x 224 a hundredth of a percent of 0.5 in L2, and in L1 three
    hundredths of a percent of 60."""
    assert tolerance(torch.zeros(1, 8, 8), "Linf") == ROUNDING
    assert tolerance(torch.zeros(3, 224, 224), "L2") == pytest.approx(4.6e-5, rel=0.01)
    assert tolerance(torch.zeros(3, 224, 224), "L1") == pytest.approx(0.018, rel=0.01)
