"""Outputs: what networks return, brought to logits in one place."""

from collections.abc import Mapping

from torch import Tensor

from alignsec.models.errors import ModelError

KEYS = ("logits", "out", "output", "pred", "scores")
"""Under which libraries keep logits in a mapping, in order: Hugging Face, torchvision, and what people write."""


def logits(output: object) -> Tensor:
    """The logits, N x classes, in what a network returned.

    A tensor is taken as it is. Of an object with `.logits` that; of a mapping what stands under one of KEYS, or
    its only matrix; of a tuple or list its first item: auxiliary heads, features and tokens come after. Raises
    ModelError, naming what was returned, where there are none.
    """
    if isinstance(output, Tensor):
        if output.ndim != 2:
            raise ModelError(f"the network returned a tensor of shape {tuple(output.shape)}, not images x classes")
        return output
    found = getattr(output, "logits", None)
    if found is None and isinstance(output, Mapping):
        found = next((output[key] for key in KEYS if key in output), None)
        matrices = [value for value in output.values() if isinstance(value, Tensor) and value.ndim == 2]
        if found is None and len(matrices) == 1:
            found = matrices[0]
    if found is None and isinstance(output, tuple | list) and output:
        found = output[0]
    if found is None:
        keys = f" with the keys {', '.join(map(str, output))}" if isinstance(output, Mapping) else ""
        raise ModelError(f"the network returned {type(output).__name__}{keys}, in which there are no logits")
    return logits(found)
