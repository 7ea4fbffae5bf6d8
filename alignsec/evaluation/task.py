"""Tasks: a classifier, the images it is attacked on, and the attack."""

from dataclasses import dataclass

from torch import Tensor

from alignsec.models.classifier import Classifier
from alignsec.models.pixels import Images
from alignsec.spec.attack import Attack


@dataclass(frozen=True)
class Task:
    """What is evaluated."""

    classifier: Classifier
    pixels: Images
    labels: Tensor
    """int64, N."""
    attack: Attack
    seed: int
    corrupted: Images | None = None
    """The same images under the attack's corruption; None for every other attack."""
