"""Networks for the benchmarks: trained on scikit-learn's digits in seconds, plainly or on attacked digits."""

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional as F

from alignsec.classifier import Classifier
from alignsec.preprocessing import Preprocessing

TRAINED_ON = 1000
"""The 797 digits from here on are never trained on."""
_EPS = 0.15


def digits() -> tuple[Tensor, Tensor]:
    """1797 digits, 1 x 8 x 8 in [0,1], and their labels."""
    data = load_digits()
    return torch.tensor(data.images / 16, dtype=torch.float32).unsqueeze(1), torch.tensor(data.target)


def as_classifier(network: nn.Module, channels: int, side: int) -> Classifier:
    """A network that takes images as they are."""
    identity = Preprocessing(
        input_size=(channels, side, side),
        mean=(0.0,) * channels,
        std=(1.0,) * channels,
        interpolation="bilinear",
        crop_pct=1.0,
    )
    return Classifier(network, identity)


def trained(robust: bool) -> nn.Module:
    """A small convolutional network; robust: trained at Linf 0.15 (Madry et al. 2018, four steps)."""
    torch.manual_seed(0)
    network = nn.Sequential(
        *(nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 64, 3, stride=2, padding=1), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(1024, 128), nn.ReLU(), nn.Linear(128, 10)),
    )
    pixels, labels = (part[:TRAINED_ON] for part in digits())
    optimiser = torch.optim.Adam(network.parameters(), lr=2e-3)
    for _ in range(20 if robust else 10):
        for chosen in torch.randperm(len(pixels)).split(100):
            x, y = pixels[chosen], labels[chosen]
            x = _attacked(network, x, y) if robust else x
            optimiser.zero_grad()
            F.cross_entropy(network(x), y).backward()
            optimiser.step()
    return network


def _attacked(network: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    worse = (x + _EPS * (2 * torch.rand_like(x) - 1)).clamp(0, 1)
    for _ in range(4):
        (slope,) = torch.autograd.grad(F.cross_entropy(network(worse.requires_grad_()), y), worse)
        worse = (worse.detach() + _EPS / 2 * slope.sign()).maximum(x - _EPS).minimum(x + _EPS).clamp(0, 1)
    return worse
