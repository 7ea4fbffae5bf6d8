"""Cases of the audit's benchmark: digits, the MNIST network and MobileNet on photographs."""

import gzip
from functools import cache, partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from alignsec.models.classifier import Classifier
from benchmarks.audit_runs import AuditCase
from benchmarks.clock import DEVICE
from benchmarks.digit_networks import TRAINED_ON, as_classifier, digits, train_network
from benchmarks.photographs import SHARED, has_photographs, load_mobilenet

DIGITS = 400
MNIST = 200
PHOTOGRAPHS = 80
SIDE = 96
"""Side of the photographs in pixels. At 224 pixels, a robust image takes over ten minutes on a CPU."""
_MNIST_WEIGHTS = SHARED / "weights" / "mnist_eps0.1_provable.state_dict.pt"


def list_cases() -> list[AuditCase]:
    """Return the cases whose files exist, the slowest last."""
    digits_cases = ((False, "0.1"), (True, "0.1"), (True, "0.15"), (False, "0.05"), (True, "0.06"))
    names = {False: "digits, undefended", True: "digits, adversarially trained"}
    cases = [AuditCase(names[robust], partial(_load_digits, robust), "Linf", eps) for robust, eps in digits_cases]
    if _MNIST_WEIGHTS.is_file():
        cases += [AuditCase("MNIST, provably robust", _load_mnist, "Linf", eps) for eps in ("0.2", "0.1")]
    if has_photographs():
        cases.append(AuditCase("MobileNetV2, photographs", _load_photographs, "Linf", "0.1/255"))
    return cases


def _load_digits(robust: bool) -> tuple[Classifier, Tensor, Tensor]:
    pixels, labels = (part[TRAINED_ON : TRAINED_ON + DIGITS].to(DEVICE) for part in digits())
    return as_classifier(train_network(robust), 1, 8), pixels, labels


@cache
def _load_mnist() -> tuple[Classifier, Tensor, Tensor]:
    """Return the network of Wong & Kolter 2018 (arXiv 1711.00851) and the first test images."""
    network = nn.Sequential(
        *(nn.Conv2d(1, 16, 4, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 4, 2, 1), nn.ReLU(), nn.Flatten()),
        *(nn.Linear(1568, 100), nn.ReLU(), nn.Linear(100, 10)),
    )
    network.load_state_dict(torch.load(_MNIST_WEIGHTS, weights_only=True))
    pixels = torch.tensor(_read_idx("images-idx3", 16).reshape(-1, 1, 28, 28)[:MNIST] / 255, dtype=torch.float32)
    labels = torch.tensor(_read_idx("labels-idx1", 8)[:MNIST].astype(int))
    return as_classifier(network, 1, 28), pixels.to(DEVICE), labels.to(DEVICE)


def _read_idx(name: str, header: int) -> np.ndarray[Any, Any]:
    """Return the bytes of a file of MNIST's test set after its header."""
    data = (SHARED / "mnist" / f"t10k-{name}-ubyte.gz").read_bytes()
    return np.frombuffer(gzip.decompress(data), np.uint8)[header:]


@cache
def _load_photographs() -> tuple[Classifier, Tensor, Tensor]:
    """Return MobileNetV2 and photographs, reduced to SIDE pixels."""
    classifier, pixels, labels = load_mobilenet(PHOTOGRAPHS)
    small = F.interpolate(pixels, size=(SIDE, SIDE), mode="area").clamp(0, 1)
    return classifier, small.to(DEVICE), labels.to(DEVICE)
