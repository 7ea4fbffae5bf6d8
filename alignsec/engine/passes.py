"""Passes of the model: their results, checked."""

import torch
from torch import Tensor

from alignsec.classifier import BadModel, Classifier


def logits_of(classifier: Classifier, images: Tensor) -> Tensor:
    """Logits of a batch, N x classes, finite. Raises BadModel for anything else."""
    logits = classifier(images)
    if not isinstance(logits, Tensor):
        kind = type(logits).__name__
        raise BadModel(f"the model gives a {kind}, not a tensor of logits; wrap it to give the logits alone")
    if logits.ndim != 2 or len(logits) != len(images) or logits.shape[1] < 2 or not logits.is_floating_point():
        shape = " x ".join(map(str, logits.shape))
        raise BadModel(f"{len(images)} images gave {shape} {logits.dtype}; logits are images x classes")
    finite = logits.isfinite().all(1)
    if not finite.all():
        bad = int((~finite).sum())
        raise BadModel(f"the logits of {bad} of {len(logits)} images are not finite; are the weights sound?")
    return logits


def gradients_of(losses: list[Tensor], images: Tensor) -> tuple[Tensor, int]:
    """Gradient of the sum of the losses for each image, and for how many it was not finite and is 0 there."""
    total = torch.cat(losses).sum()
    if not total.requires_grad:
        raise BadModel("the logits carry no gradient back to the image; is the model differentiable?")
    (gradients,) = torch.autograd.grad(total, images, allow_unused=True)
    if gradients is None:
        raise BadModel("the logits do not depend on the image; is the model differentiable?")
    finite = gradients.isfinite().flatten(1).all(1)
    if finite.all():
        return gradients, 0
    return gradients.nan_to_num(0, 0, 0), int((~finite).sum())
