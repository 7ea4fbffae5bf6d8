"""The judge: no attack is trusted to report its own success."""

import math

import torch
from torch import Tensor

from alignsec.models.classifier import Classifier
from alignsec.spec.components import Norm

ROUNDING = 2.0**-23
"""How far one pixel of [0,1] may land from where it was aimed: x + eps and its difference from x, in float32."""


def distances(clean: Tensor, adversarial: Tensor, norm: Norm) -> Tensor:
    """Distance of each image pair, float64, N, in pixels of [0,1]."""
    difference = (adversarial.double() - clean.double()).flatten(1)
    if norm == "Linf":
        return difference.abs().amax(1)
    if norm == "L1":
        return difference.abs().sum(1)
    return difference.square().sum(1).sqrt()


def tolerance(image: Tensor, norm: Norm) -> float:
    """The distance that float32 rounding alone can make: one step in every one of the image's pixel values."""
    pixels = float(image.numel())
    return ROUNDING * {"Linf": 1.0, "L2": math.sqrt(pixels), "L1": pixels}[norm]


@torch.no_grad()
def confirm(
    classifier: Classifier, clean: Tensor, adversarial: Tensor, labels: Tensor, norm: Norm, eps: float
) -> Tensor:
    """Which adversarial images count: bool, N.

    One counts if it is finite, in [0,1], within eps of the clean image, and misclassified by the float32 model
    with finite logits. Images N x C x H x W; labels N.
    """
    sound = torch.isfinite(adversarial).flatten(1).all(1)
    inside = ((adversarial >= 0) & (adversarial <= 1)).flatten(1).all(1)
    near = distances(clean, adversarial, norm) <= eps + tolerance(clean[0], norm)
    logits = classifier(adversarial.float().nan_to_num().clamp(0, 1))
    fooled = logits.isfinite().all(1) & (logits.argmax(1) != labels)
    counts: Tensor = sound & inside & near & fooled
    return counts
