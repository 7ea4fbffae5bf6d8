"""Memory format: stores weights with channels last where the network allows it."""

import torch
from torch import Tensor

from alignsec.models import outputs
from alignsec.models.classifier import Classifier

_NETWORK_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)
_TOLERANCE = 1e-3
"""Largest relative difference of logits and gradients between both formats that rounding can cause."""


def use_channels_last(classifier: Classifier, input_size: tuple[int, int, int]) -> bool:
    """Store the weights with channels last, unless the network then fails or returns something else.

    Some networks depend on the order in memory: `x.view(x.size(0), -1)` raises an error, and `x.as_strided` reads
    other values. Two images of noise are classified in both formats.

    Args:
        classifier: The classifier, on a CPU, with its weights contiguous.
        input_size: Channels, height and width of its images.

    Returns:
        True if the weights are stored with channels last, False if they are contiguous as before.
    """
    noise = torch.rand(2, *input_size, generator=torch.Generator().manual_seed(0))
    expected = _probe(classifier, noise)
    if expected is None:
        return False
    _set_format(classifier, torch.channels_last)
    found = _probe(classifier, noise)
    if found is not None and all(_is_close(one, other) for one, other in zip(found, expected, strict=True)):
        return True
    _set_format(classifier, torch.contiguous_format)
    return False


def _set_format(classifier: Classifier, memory_format: torch.memory_format) -> None:
    # torch declares no type for this form of `to`.
    classifier.to(memory_format=memory_format)  # type: ignore[call-overload] # the stub lacks this keyword alone


def _probe(classifier: Classifier, noise: Tensor) -> tuple[Tensor, Tensor] | None:
    """Return logits and gradients of images; None if the network fails, which the clean pass will report."""
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(0)
        images = noise.clone().requires_grad_()
        try:
            logits = outputs.extract_logits(classifier.network((images - classifier.mean) / classifier.std))
            (gradients,) = torch.autograd.grad(logits.logsumexp(1).sum(), images)
        except _NETWORK_ERRORS:
            return None
    return logits.detach(), gradients


def _is_close(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and bool((one - other).norm() <= _TOLERANCE * other.norm())
