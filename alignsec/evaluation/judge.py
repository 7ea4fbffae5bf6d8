"""Judge: decides whether adversarial images count. No attack reports its own success."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from alignsec.models.classifier import Classifier
from alignsec.spec.components import Norm

ROUNDING = 2.0**-23
"""Largest rounding error of one pixel in [0,1] when x + eps and its difference from x are computed in float32."""


def distances(clean: Tensor, adversarial: Tensor, norm: Norm) -> Tensor:
    """Return the distance of each pair of images.

    Args:
        clean: Clean images, N x C x H x W, in [0,1].
        adversarial: Adversarial images of the same shape.
        norm: The norm of the distance.

    Returns:
        float64, N.
    """
    difference = (adversarial.double() - clean.double()).flatten(1)
    if norm == "Linf":
        return difference.abs().amax(1)
    if norm == "L1":
        return difference.abs().sum(1)
    return difference.square().sum(1).sqrt()


def tolerance(image: Tensor, norm: Norm) -> float:
    """Return the distance that float32 rounding alone can cause: one rounding error in every pixel value."""
    pixels = float(image.numel())
    return ROUNDING * {"Linf": 1.0, "L2": math.sqrt(pixels), "L1": pixels}[norm]


@dataclass(frozen=True)
class Judgement:
    """What the judge finds about N adversarial images, without a budget."""

    distances: Tensor
    """Distances from the clean images, float64, N."""
    valid: Tensor
    """Whether each image is finite and in [0,1], bool, N."""
    misclassified: Tensor
    """Whether the float32 model misclassifies each image with finite logits, bool, N."""

    def counts(self, eps: float, norm: Norm, image: Tensor) -> Tensor:
        """Return which images count at a budget, bool, N.

        Args:
            eps: The budget, in pixels of [0,1].
            norm: The norm of the budget.
            image: One clean image, whose size determines the tolerance for rounding.
        """
        return self.valid & (self.distances <= eps + tolerance(image, norm)) & self.misclassified

    def count_rejected(self, counted: Tensor | None) -> int:
        """Return the number of misclassified images that are rejected.

        Args:
            counted: Which images count at the budget that the attack was given. None if it was given no budget:
                only images outside [0,1] are then rejected.
        """
        return int((self.misclassified & ~(self.valid if counted is None else counted)).sum())


@torch.no_grad()
def judge(classifier: Classifier, clean: Tensor, adversarial: Tensor, labels: Tensor, norm: Norm) -> Judgement:
    """Measure and classify adversarial images in float32.

    Args:
        classifier: The classifier.
        clean: Clean images, N x C x H x W, in [0,1].
        adversarial: Adversarial images of the same shape.
        labels: int64, N.
        norm: The norm of the distances.
    """
    finite = torch.isfinite(adversarial).flatten(1).all(1)
    in_range = ((adversarial >= 0) & (adversarial <= 1)).flatten(1).all(1)
    logits = classifier(adversarial.float().nan_to_num().clamp(0, 1))
    misclassified = logits.isfinite().all(1) & (logits.argmax(1) != labels)
    return Judgement(distances(clean, adversarial, norm), finite & in_range, misclassified)


def confirm(
    classifier: Classifier, clean: Tensor, adversarial: Tensor, labels: Tensor, norm: Norm, eps: float
) -> Tensor:
    """Return which adversarial images count.

    An image counts if it is finite, in [0,1] and within eps of the clean image, and the float32 model
    misclassifies it with finite logits.

    Args:
        classifier: The classifier.
        clean: Clean images, N x C x H x W, in [0,1].
        adversarial: Adversarial images of the same shape.
        labels: int64, N.
        norm: The norm of the budget.
        eps: The budget, in pixels of [0,1].

    Returns:
        bool, N.
    """
    return judge(classifier, clean, adversarial, labels, norm).counts(eps, norm, clean[0])
