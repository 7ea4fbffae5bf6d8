"""Strength of each attack on a linear model, where the distance to the nearest adversarial image is evaluation."""

import pytest
import torch
from torch import Tensor, nn

from alignsec.evaluation.task import Task
from tests.alignsec.engine import small

SIDE = 6
DISTANCE = {"Linf": 0.05, "L2": 0.25, "L1": 0.3}
DUAL = {"Linf": 1, "L2": 2, "L1": torch.inf}
"""Order of the norm that gives the gap between two logits per distance, applied to the weights' difference."""
FACTORS = {
    ("apgd-ce", "Linf"): 1.001,
    ("apgd-ce", "L2"): 1.005,
    ("apgd-t", "Linf"): 1.001,
    ("apgd-t", "L2"): 1.005,
    ("fab-t", "Linf"): 1.06,
    ("fab-t", "L2"): 1.06,
    ("square", "Linf"): 2.0,
    ("square", "L2"): 4.0,
    ("apgd-ce", "L1"): 1.1,
    ("apgd-t", "L1"): 1.1,
    ("fab-t", "L1"): 1.06,
    ("square", "L1"): 10.0,
}
"""Largest allowed distance, in multiples of the true one. FAB overshoots the boundary by 5 %. Square has no
gradient. APGD in L1 never moves a single pixel, which is the optimum here."""


def linear(norm: str, images: int) -> tuple[nn.Module, Tensor, Tensor]:
    """Return a linear model, images of two classes at DISTANCE from the boundary between them, and labels.

    In L1 the nearest point differs in one pixel. The images are far from the edges of the box, and the other
    classes are out of reach.
    """
    generator = torch.Generator().manual_seed(3)
    layer = nn.Linear(SIDE * SIDE, 5)
    layer.weight.data = torch.randn(5, SIDE * SIDE, generator=generator) / 6
    apart = (layer.weight.data[0] - layer.weight.data[1]).double()
    layer.bias.data = torch.tensor([0, apart.sum() / 2, -9, -9, -9], dtype=torch.float32)
    labels = torch.arange(images) % 2
    size = torch.linalg.vector_norm(apart, ord=DUAL[norm])
    gaps = DISTANCE[norm] * size * (1 - 2 * labels)
    pixels = (0.5 + 0.1 * (torch.rand(images, SIDE * SIDE, generator=generator) - 0.5)).double()
    now = pixels @ apart - apart.sum() / 2
    pixels += ((gaps - now) / apart.square().sum()).unsqueeze(1) * apart
    return nn.Sequential(nn.Flatten(), layer), pixels.float().view(-1, 1, SIDE, SIDE), labels


@pytest.mark.parametrize("images", [1, 3, 8])
@pytest.mark.parametrize(("method", "norm"), list(FACTORS))
def test_each_attack_finds_nearly_the_smallest_distance(method, norm, images):
    network, pixels, labels = linear(norm, images)
    below, above = DISTANCE[norm] * 0.9999, DISTANCE[norm] * FACTORS[method, norm]
    more = {"queries": 600} if method == "square" else {"steps": 40}
    attack = small.attack(method, norm, (f"{below:.9f}", f"{above:.9f}"), **more)
    evaluation = small.finished(
        Task(small.classifier(network, side=SIDE), pixels, labels, attack, 0), slots=images
    )
    assert [one.robust for one in evaluation.budgets] == [images, 0]
    assert all(one.distance >= below for one in evaluation.adversarial_images)


@pytest.mark.parametrize("norm", list(DISTANCE))
def test_fab_finds_the_distance_to_the_boundary(norm):
    """Expect that the budget does not matter: the first point is within FAB's overshoot of the true distance."""
    network, pixels, labels = linear(norm, 8)
    attack = small.attack("fab-t", norm, ("0.00001", "1"))
    evaluation = small.finished(Task(small.classifier(network, side=SIDE), pixels, labels, attack, 0))
    assert len(evaluation.adversarial_images) == 8
    assert all(1 <= one.distance / DISTANCE[norm] < 1.06 for one in evaluation.adversarial_images)
