"""State dicts: read without running code, and loaded only where they fit key by key."""

from pathlib import Path

from timm.models import load_state_dict
from torch import Tensor, nn


def read(path: Path) -> dict[str, Tensor]:
    """A checkpoint's state dict, from safetensors or a torch file, also where training left it under a key.

    Torch files are read with weights_only: a checkpoint runs no code here.
    """
    state: dict[str, Tensor] = load_state_dict(str(path), device="cpu")
    return state


def fill(network: nn.Module, state: dict[str, Tensor], file: str) -> None:
    """Load a state dict that fits exactly. Raises ValueError with the keys that are missing or left over."""
    own = network.state_dict()
    # BatchNorm's step counter plays no part in evaluation and is absent from older checkpoints.
    missing = [key for key in own if key not in state and not key.endswith("num_batches_tracked")]
    extra = [key for key in state if key not in own]
    shapes = [
        f"{key} is {tuple(state[key].shape)}, not {tuple(own[key].shape)}"
        for key in own
        if key in state and state[key].shape != own[key].shape
    ]
    complaints = [
        f"{len(keys)} {what} ({', '.join(keys[:3])}{', ...' if len(keys) > 3 else ''})"
        for what, keys in (("keys missing", missing), ("keys too many", extra), ("keys of another shape", shapes))
        if keys
    ]
    if complaints:
        raise ValueError(f"{file} does not fit: {'; '.join(complaints)}")
    network.load_state_dict(state, strict=False)
