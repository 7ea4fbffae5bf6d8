"""The cases of the benchmark: network, images and attack."""

from dataclasses import dataclass

from alignsec.evaluation.task import Task
from alignsec.spec.attack import Attack
from benchmarks.clock import DEVICE
from benchmarks.digit_networks import TRAINED_ON, as_classifier, digits, train_network


@dataclass(frozen=True)
class Case:
    """A network under the standard AutoAttack at three budgets."""

    name: str
    robust: bool
    norm: str
    eps: tuple[str, str, str]
    own: bool = False
    """Whether to measure the engine with its own noise too, and torchattacks in Linf and L2. Each takes long if
    many images are robust."""
    most: int = 797
    """Largest number of images."""

    @property
    def title(self) -> str:
        """Title in tables and in the chart."""
        return f"{self.name}, {self.norm} {', '.join(self.eps)}"

    def task(self, images: int, queries: int) -> Task:
        """Return the evaluation of digits of 8 x 8 pixels that are not in the training set."""
        attack = {"method": "autoattack", "norm": self.norm, "eps": list(self.eps), "queries": queries}
        images = min(images, self.most)
        return _task(self.robust, 8, images, Attack.model_validate({**attack, "batch": images}))


CASES = (
    Case("undefended, all images break", False, "Linf", ("0.35", "0.4", "0.45"), own=True),
    Case("undefended, all images break", False, "L2", ("2.5", "3", "3.5"), own=True),
    Case("undefended, all images break", False, "L1", ("12", "15", "18"), own=True),
    Case("undefended, from most robust to most broken", False, "Linf", ("0.02", "0.05", "0.15")),
    Case("adversarially trained, most images robust", True, "Linf", ("0.03", "0.06", "0.1"), own=True),
    Case("adversarially trained, most images robust", True, "L2", ("0.2", "0.3", "0.4")),
    Case("adversarially trained, most images robust", True, "L1", ("0.3", "0.5", "0.8")),
    Case("adversarially trained, few images", True, "Linf", ("0.06", "0.1", "0.15"), own=True, most=25),
)

GRADIENT_EPS = ("0.18", "0.14", "0.115", "0.108", "0.098", "0.07")
"""Linf budgets of APGD-CE and APGD-T on an undefended network: from 0 to half of 400 images are robust."""


def gradient_attacks(eps: str, images: int) -> tuple[Task, Attack]:
    """Return APGD-CE on digits of 28 x 28 pixels, and APGD-T for the images that are still robust."""
    fields = {"norm": "Linf", "eps": [eps], "batch": images}
    first, then = (Attack.model_validate({"method": method, **fields}) for method in ("apgd-ce", "apgd-t"))
    return _task(False, 28, images, first), then


def _task(robust: bool, side: int, images: int, attack: Attack) -> Task:
    pixels, labels = (part[TRAINED_ON : TRAINED_ON + images].to(DEVICE) for part in digits(side))
    return Task(as_classifier(train_network(robust, side), 1, side), pixels, labels, attack, 0)
