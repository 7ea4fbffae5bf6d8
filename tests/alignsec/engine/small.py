"""Small tasks for tests of the engine: scikit-learn's digits and networks that train in a second."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional as F

from alignsec.engine import Settings, evaluate
from alignsec.evaluation.evaluation import Evaluation
from alignsec.evaluation.task import Task
from alignsec.models.classifier import Classifier
from alignsec.spec.attack import Attack
from alignsec.spec.preprocessing import Preprocessing

TRAINED_ON = 1000
"""Digits before this index are training images; the others are attacked."""


@cache
def digits() -> tuple[Tensor, Tensor]:
    """Return 1797 digits, 1 x 8 x 8 in [0,1], and their labels."""
    data = load_digits()
    return torch.tensor(data.images / 16, dtype=torch.float32).unsqueeze(1), torch.tensor(data.target)


def classifier(network: nn.Module, channels: int = 1, side: int = 8) -> Classifier:
    """Return a classifier without normalization or resizing."""
    identity = Preprocessing(
        input_size=(channels, side, side),
        mean=(0.0,) * channels,
        std=(1.0,) * channels,
        interpolation="bilinear",
        crop_pct=1.0,
    )
    return Classifier(network, identity)


@cache
def network(robust: bool) -> nn.Module:
    """Return a small convolutional network, trained on clean digits or on digits attacked at Linf 0.15."""
    torch.manual_seed(0)
    net = nn.Sequential(
        *(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(512, 64), nn.ReLU(), nn.Linear(64, 10)),
    )
    pixels, labels = (part[:TRAINED_ON] for part in digits())
    optimiser = torch.optim.Adam(net.parameters(), lr=2e-3)
    for _ in range(20 if robust else 10):
        for chosen in torch.randperm(len(pixels)).split(100):
            x, y = pixels[chosen], labels[chosen]
            optimiser.zero_grad()
            F.cross_entropy(net(_attacked(net, x, y) if robust else x), y).backward()
            optimiser.step()
    return net


def _attacked(net: nn.Module, x: Tensor, y: Tensor, eps: float = 0.15) -> Tensor:
    """Return images after four steps of projected gradient ascent."""
    points = x + eps * (2 * torch.rand_like(x) - 1)
    for _ in range(4):
        points = points.clamp(0, 1).requires_grad_()
        (slope,) = torch.autograd.grad(F.cross_entropy(net(points), y), points)
        points = (points.detach() + eps / 2 * slope.sign()).maximum(x - eps).minimum(x + eps)
    return points.clamp(0, 1)


def task(robust: bool, attack: Attack, images: Sequence[int] | int = 12, seed: int = 0) -> Task:
    """Return a task on digits that the network was not trained on.

    Args:
        robust: True for the network that was trained on attacked digits.
        attack: The attack.
        images: Indices of the images, or their number.
        seed: Seed of the attack.
    """
    chosen = [TRAINED_ON + index for index in (range(images) if isinstance(images, int) else images)]
    pixels, labels = digits()
    return Task(classifier(network(robust)), pixels[chosen], labels[chosen], attack, seed)


def attack(method: str = "autoattack", norm: str = "Linf", eps: Sequence[str] = ("0.1",), **more: Any) -> Attack:
    """Return a short attack; `more` replaces or adds fields."""
    short: dict[str, Any] = {}
    if method in {"autoattack", "apgd-ce", "apgd-t", "fab-t"}:
        short |= {"steps": 10}
    if method in {"autoattack", "apgd-t", "fab-t"}:
        short |= {"targets": 3}
    if method in {"autoattack", "square"}:
        short |= {"queries": 60}
    if norm == "L1" and method in {"autoattack", "apgd-ce"}:
        short |= {"restarts": 2}
    return Attack.model_validate({"method": method, "norm": norm, "eps": list(eps), **short, **more})


def finished(task: Task, **settings: Any) -> Evaluation:
    """Return the complete evaluation of a task."""
    *_, last = evaluate(task, settings=Settings(**settings))
    assert last.complete
    return last


def verdicts(evaluation: Any) -> list[str]:
    """Return the verdict string of each budget."""
    return [budget.verdicts for budget in evaluation.budgets]
