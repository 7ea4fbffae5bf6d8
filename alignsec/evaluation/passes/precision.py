"""Precision: what the search computes in. Verdicts are always given in float32."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor

from alignsec.spec.attack import SearchPrecision

_FIRST_WITH_TF32 = (8, 0)
"""NVIDIA's compute capability; earlier GPUs and CPUs compute in float32 whatever the flags say."""
_ROUNDING = {"fp32": 0.0, "tf32": 2.0**-10, "bf16": 2.0**-8}
"""Half a step of the significand: 10 explicit bits for TF32, 7 for bfloat16."""
_REORDERED = 2.0**-14
"""Of the largest logit: what sums in another order make in float32. Measured: see docs/engine.md."""


def effective_precision(search: SearchPrecision, device: torch.device) -> SearchPrecision:
    """What a search that asks for a precision really gets on a device."""
    if search != "tf32":
        return search
    able = device.type == "cuda" and torch.cuda.get_device_capability(device) >= _FIRST_WITH_TF32
    return "tf32" if able else "fp32"


def describe_precision(search: SearchPrecision, device: torch.device, compiled: bool = False) -> str:
    """For the record: what was searched in and what was judged in."""
    if search == "fp32" and not compiled:
        return "fp32"
    got = effective_precision(search, device)
    asked = "" if got == search else f" ({search} was asked for, which this device does not have)"
    return f"search {got}{' compiled' if compiled else ''}{asked}, verdicts fp32"


@contextmanager
def tf32_flags(search: SearchPrecision) -> Iterator[None]:
    """TF32 in matrix products and convolutions, forward and backward, and as it was afterwards."""
    if search != "tf32":
        yield
        return
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    try:
        matmul.allow_tf32 = cudnn.allow_tf32 = True
        yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = before


def autocast(search: SearchPrecision, device: torch.device) -> AbstractContextManager[object]:
    """Autocast for the model's forward pass; its backward pass follows the types of the forward one."""
    if search != "bf16":
        return nullcontext()
    return torch.autocast(device.type, torch.bfloat16)


def relative_rounding(search: SearchPrecision, compiled: bool = False) -> float:
    """How far a search's logit may lie from the one that verdicts are given by, as a share of the largest one."""
    return max(_ROUNDING[search], _REORDERED if compiled else 0.0)


def find_doubtful(margins: Tensor, logits: Tensor, rounded: float) -> Tensor:
    """Which images the judge may find misclassified, bool N, from margins N and logits N x classes of a search.

    Those at or below a margin that the rounding of two logits alone can make.
    """
    return margins <= 2 * rounded * logits.abs().amax(1)
