"""Tiny networks: quick to build, quick to train, quick to attack."""

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
    """The network of tiny.SOURCE and tiny.OPTIONS, with weights large enough that its classes differ."""
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
    """Its state dict, as safetensors or as a torch file, by the name's ending."""
    state = {key: value.contiguous() for key, value in network.state_dict().items()}
    if path.suffix == ".safetensors":
        save_file(state, path)
    else:
        torch.save(state, path)
    return path


def classifier(network: nn.Module, channels: int = 1, mean: float = 0.0, std: float = 1.0) -> Classifier:
    """A network on images of any size, behind a normalisation that does nothing unless told."""
    values = {"mean": (mean,) * channels, "std": (std,) * channels}
    preprocessing = Preprocessing(input_size=(channels, 8, 8), interpolation="bilinear", crop_pct=1, **values)
    return Classifier(network, preprocessing)


@cache
def digits() -> tuple[Tensor, Tensor]:
    """scikit-learn's 1797 digits: N x 1 x 8 x 8 in [0,1], and their labels."""
    data = load_digits()
    return torch.tensor(data.images, dtype=torch.float32)[:, None] / 16, torch.tensor(data.target)


@cache
def trained(classes: int = 10) -> nn.Module:
    """A small convnet that knows the digits below `classes`; trained in about a second, always the same."""
    torch.manual_seed(0)
    network = nn.Sequential(
        *(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 16, 3, stride=2, padding=1), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(256, classes)),
    )
    images, labels = few(classes, 1797)
    optimiser = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(8):
        for batch in torch.randperm(len(labels)).split(128):
            optimiser.zero_grad()
            nn.functional.cross_entropy(network(images[batch]), labels[batch]).backward()
            optimiser.step()
    return network.eval()


def few(classes: int, count: int) -> tuple[Tensor, Tensor]:
    """The first digits below `classes`."""
    images, labels = digits()
    chosen = (labels < classes).nonzero().squeeze(1)[:count]
    return images[chosen], labels[chosen]
