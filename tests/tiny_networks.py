"""Tiny networks that are built, trained and attacked quickly."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors.torch import save_file
from sklearn.datasets import load_digits
from torch import Tensor, nn

from alignsec.models.classifier import Classifier
from alignsec.spec.preprocessing import Preprocessing
from tests.tiny import OPTIONS, SOURCE


def vit(seed: int = 0, options: Mapping[str, Any] = OPTIONS) -> nn.Module:
    """Build the network of tiny.SOURCE and tiny.OPTIONS, with weights so large that its classes differ."""
    torch.manual_seed(seed)
    network: nn.Module = timm.create_model(SOURCE.removeprefix("timm:"), **options)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith("bias") or name in {"cls_token", "pos_embed"}:
                parameter.zero_()
            elif parameter.dim() > 1:
                parameter.copy_(torch.randn_like(parameter))
    return network.eval()


def save(network: nn.Module, path: Path) -> Path:
    """Write a network's state dict as safetensors or as a torch file, according to the suffix."""
    state = {key: value.contiguous() for key, value in network.state_dict().items()}
    if path.suffix == ".safetensors":
        save_file(state, path)
    else:
        torch.save(state, path)
    return path


def classifier(network: nn.Module, channels: int = 1, mean: float = 0.0, std: float = 1.0) -> Classifier:
    """Wrap a network for images of any size, by default without normalisation."""
    values = {"mean": (mean,) * channels, "std": (std,) * channels}
    preprocessing = Preprocessing(input_size=(channels, 8, 8), interpolation="bilinear", crop_pct=1, **values)
    return Classifier(network, preprocessing)


@cache
def load_all_digits() -> tuple[Tensor, Tensor]:
    """Return scikit-learn's 1797 digits, N x 1 x 8 x 8 in [0,1], and their labels."""
    data = load_digits()
    return torch.tensor(data.images, dtype=torch.float32)[:, None] / 16, torch.tensor(data.target)


@cache
def trained_network(classes: int = 10) -> nn.Module:
    """Train a small convolutional network on the digits below `classes`, reproducibly, in about a second."""
    torch.manual_seed(0)
    network = nn.Sequential(
        *(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 16, 3, stride=2, padding=1), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(256, classes)),
    )
    images, labels = first_digits(classes, 1797)
    optimiser = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(8):
        for batch in torch.randperm(len(labels)).split(128):
            optimiser.zero_grad()
            nn.functional.cross_entropy(network(images[batch]), labels[batch]).backward()
            optimiser.step()
    return network.eval()


def first_digits(classes: int, count: int) -> tuple[Tensor, Tensor]:
    """Return the first `count` digits below `classes` and their labels."""
    images, labels = load_all_digits()
    chosen = (labels < classes).nonzero().squeeze(1)[:count]
    return images[chosen], labels[chosen]
