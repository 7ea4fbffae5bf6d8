"""State dicts: read without running code, and loaded only if keys and shapes fit exactly."""

from pathlib import Path

import torch
from timm.models import load_state_dict
from torch import Tensor, nn

HEAD_REMEDY = "if only the head differs, set num_classes in the model's options to the file's number of classes"


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """Read the state dict in a safetensors or torch file, also if a training script stored it under a key.

    Torch files are read with `weights_only`, so they run no code.
    """
    state: dict[str, Tensor] = load_state_dict(str(path), device="cpu")
    return state


def load_strict(network: nn.Module, state: dict[str, Tensor], file: str) -> None:
    """Load a state dict into a network.

    Args:
        network: The network.
        state: The state dict.
        file: Name of its file, for the error message.

    Raises:
        ValueError: If keys are missing, unexpected or have another shape. The message lists the first three of
            each.
    """
    own = network.state_dict()
    # The step counter of BatchNorm is not used in evaluation, and files written by old PyTorch versions lack it.
    missing = [key for key in own if key not in state and not key.endswith("num_batches_tracked")]
    unexpected = [key for key in state if key not in own]
    shapes = [
        f"{key} is {tuple(state[key].shape)}, expected {tuple(own[key].shape)}"
        for key in own
        if key in state and state[key].shape != own[key].shape
    ]
    errors = [
        f"{len(keys)} {kind} ({', '.join(keys[:3])}{', ...' if len(keys) > 3 else ''})"
        for kind, keys in (
            ("missing keys", missing),
            ("unexpected keys", unexpected),
            ("keys of other shape", shapes),
        )
        if keys
    ]
    if errors:
        remedy = f"; {HEAD_REMEDY}" if shapes and not missing and not unexpected else ""
        raise ValueError(f"{file} does not fit: {'; '.join(errors)}{remedy}")
    network.load_state_dict(state, strict=False)


@torch.no_grad()
def fill_with_nan(network: nn.Module) -> None:
    """Replace all floating-point parameters and stored buffers by NaN, before a load that may be incomplete."""
    for value in network.state_dict().values():
        if value.is_floating_point():
            value.fill_(torch.nan)


def require_filled(network: nn.Module, file: str) -> None:
    """Check that a load has replaced all values of a network that `fill_with_nan` has removed.

    Args:
        network: The network.
        file: Name of the file, for the error message.

    Raises:
        ValueError: If values are missing. The message lists the first three parameters or buffers.
    """
    missing = [
        key for key, value in network.state_dict().items() if value.is_floating_point() and value.isnan().any()
    ]
    if missing:
        names = f"{', '.join(missing[:3])}{', ...' if len(missing) > 3 else ''}"
        raise ValueError(
            f"{file} does not contain {len(missing)} parameters or buffers, or they are NaN ({names}); "
            f"their values would be random; {HEAD_REMEDY}"
        )
