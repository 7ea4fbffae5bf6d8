"""Networks of the benchmarks: trained on scikit-learn's digits in seconds, normally or adversarially."""

from functools import cache

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional as F

from alignsec.models.classifier import Classifier
from alignsec.spec.preprocessing import Preprocessing
from benchmarks.clock import DEVICE

TRAINED_ON = 1000
"""Number of training digits; the other 797 are never trained on."""
_EPS = 0.15


@cache
def digits(side: int = 8) -> tuple[Tensor, Tensor]:
    """Return 1797 digits, each 1 x side x side in [0,1], and their labels. The original side is 8 pixels."""
    data = load_digits()
    pixels = torch.tensor(data.images / 16, dtype=torch.float32).unsqueeze(1)
    if side != pixels.shape[-1]:
        pixels = F.interpolate(pixels, size=(side, side), mode="bilinear", align_corners=False).clamp(0, 1)
    return pixels, torch.tensor(data.target)


def as_classifier(network: nn.Module, channels: int, side: int) -> Classifier:
    """Return a classifier without normalisation."""
    identity = Preprocessing(
        input_size=(channels, side, side),
        mean=(0.0,) * channels,
        std=(1.0,) * channels,
        interpolation="bilinear",
        crop_pct=1.0,
    )
    return Classifier(network, identity).to(DEVICE)


@cache
def train_network(robust: bool, side: int = 8) -> nn.Module:
    """Return a trained convolutional network; `robust` trains it at Linf 0.15 (Madry et al. 2018, four steps)."""
    torch.manual_seed(0)
    width = -(-side // 4)
    network = nn.Sequential(
        *(nn.Conv2d(1, 8, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(8, 16, 3, stride=2, padding=1), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(16 * width * width, 10)),
    )
    pixels, labels = (part[:TRAINED_ON] for part in digits(side))
    optimiser = torch.optim.Adam(network.parameters(), lr=3e-3)
    for _ in range(40 if robust else 20):
        for chosen in torch.randperm(len(pixels)).split(100):
            x, y = pixels[chosen], labels[chosen]
            x = _attack(network, x, y) if robust else x
            optimiser.zero_grad()
            F.cross_entropy(network(x), y).backward()
            optimiser.step()
    return network


def _attack(network: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    perturbed = (x + _EPS * (2 * torch.rand_like(x) - 1)).clamp(0, 1)
    for _ in range(4):
        (gradient,) = torch.autograd.grad(F.cross_entropy(network(perturbed.requires_grad_()), y), perturbed)
        perturbed = (
            (perturbed.detach() + _EPS / 2 * gradient.sign()).maximum(x - _EPS).minimum(x + _EPS).clamp(0, 1)
        )
    return perturbed
