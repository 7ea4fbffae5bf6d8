"""Networks whose code makes the weights: no value may depend on unseeded random numbers.

A layer that the code leaves as its constructor drew it differs from job to job, so the attacks of one study would
run on different networks. The code is therefore run twice with different random numbers; values that differ are
random.
"""

import hashlib
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from alignsec.models.errors import ModelError

_SEEDS = (20261125, 1)


def build_reproducibly(build: Callable[[], nn.Module], *, allowed: bool) -> nn.Module:
    """Build a network and refuse one with random parameters or buffers.

    A seed that the code sets itself counts: its values are the same in each job. The network is freed before it is
    built again, so that the memory holds one at a time.

    Args:
        build: Builds the network.
        allowed: Whether the study accepts random values. They are then the same in each job.

    Raises:
        ModelError: If values are random. The message has the first three.
    """
    with _seeded(_SEEDS[0]):
        network = build()
    if allowed:
        return network
    first = _digest_values(network)
    del network
    with _seeded(_SEEDS[1]):
        network = build()
    second = _digest_values(network)
    differing = [name for name in first.keys() | second.keys() if first.get(name) != second.get(name)]
    if differing:
        shown = ", ".join(sorted(differing)[:3])
        more = ", ..." if len(differing) > 3 else ""
        raise ModelError(
            f"its code leaves {len(differing)} of {len(second)} parameters and buffers random ({shown}{more}), so "
            "each job would attack another network; load all weights, set a seed in the code, or write "
            "random_weights = true in the study"
        )
    return network


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Set the seeds of Python, numpy and torch inside a `with` block, and restore their states after it."""
    python, arrays = random.getstate(), np.random.get_state()
    with torch.random.fork_rng():
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(arrays)


def _digest_values(network: nn.Module) -> dict[str, str]:
    """Return a digest of each parameter and buffer, also of those that no state dict contains."""
    values = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    return {name: _digest_tensor(value) for name, value in values.items()}


@torch.no_grad()
def _digest_tensor(value: Tensor) -> str:
    plain = value.detach().dequantize() if value.is_quantized else value.detach()
    dense = plain if plain.layout is torch.strided else plain.to_dense()
    real = torch.view_as_real(dense) if dense.is_complex() else dense
    data = real.cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
    return hashlib.sha256(data.data).hexdigest()
