"""Tasks: a classifier, the images it is attacked on, and the attack."""

from dataclasses import dataclass

from torch import Tensor

from alignsec.attack import Attack
from alignsec.classifier import Classifier


@dataclass(frozen=True)
class Task:
    """What is evaluated."""

    classifier: Classifier
    pixels: Tensor
    """float32, N x C x H x W, in [0,1]."""
    labels: Tensor
    """int64, N."""
    attack: Attack
    seed: int
