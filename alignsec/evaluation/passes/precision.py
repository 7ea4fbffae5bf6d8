"""Precision: the number format of a search and the rounding it causes. Verdicts are always decided in float32."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor

from alignsec.spec.attack import SearchPrecision

_TF32_CAPABILITY = (8, 0)
"""First NVIDIA compute capability with TF32. Earlier GPUs and CPUs ignore the flags and compute in float32."""
_ROUNDING = {"fp32": 0.0, "tf32": 2.0**-10, "bf16": 2.0**-8}
"""Rounding of one value: half a unit in the last place in bfloat16 (7 explicit bits), a unit in TF32 (10 bits)."""
_COMPILED_ROUNDING = 2.0**-14
"""Difference that sums in another order cause in float32, relative to the largest logit. Measured: see
docs/engine.md."""


def effective_precision(search: SearchPrecision, device: torch.device) -> SearchPrecision:
    """Return the precision that a device uses when a search asks for `search`."""
    if search != "tf32":
        return search
    able = device.type == "cuda" and torch.cuda.get_device_capability(device) >= _TF32_CAPABILITY
    return "tf32" if able else "fp32"


def describe_precision(search: SearchPrecision, device: torch.device, compiled: bool = False) -> str:
    """Return the precision of the search and of the verdicts as text for the record."""
    if search == "fp32" and not compiled:
        return "fp32"
    used = effective_precision(search, device)
    fallback = "" if used == search else f" (this device does not support {search})"
    return f"search {used}{' compiled' if compiled else ''}{fallback}, verdicts fp32"


@contextmanager
def tf32_flags(search: SearchPrecision) -> Iterator[None]:
    """Enable TF32 in matrix products and convolutions inside a `with` block if the search uses it.

    The flags also apply to the backward pass. At the end of the block they get their earlier values back.
    """
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
    """Return autocast to bfloat16 for the model's forward pass if the search uses it.

    The backward pass uses the types of the forward pass.
    """
    if search != "bf16":
        return nullcontext()
    return torch.autocast(device.type, torch.bfloat16)


def relative_rounding(search: SearchPrecision, compiled: bool = False) -> float:
    """Return the largest difference of a search logit from the float32 logit, relative to the largest logit."""
    return max(_ROUNDING[search], _COMPILED_ROUNDING if compiled else 0.0)


def find_doubtful(margins: Tensor, logits: Tensor, rounding: float) -> Tensor:
    """Return which images float32 may classify differently from the search.

    These are the images whose margin is at most what rounding of two logits can cause.

    Args:
        margins: Logit of the label minus the largest other logit, N.
        logits: Logits of the search, N x classes.
        rounding: Relative rounding of the logits; see `relative_rounding`.

    Returns:
        bool, N.
    """
    return margins <= 2 * rounding * logits.abs().amax(1)
