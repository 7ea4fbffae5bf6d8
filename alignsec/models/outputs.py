"""Outputs: extracts the logits from the output of a network."""

from collections.abc import Mapping

from torch import Tensor

from alignsec.models.errors import ModelError

LOGITS_KEYS = ("logits", "out", "output", "pred", "scores")
"""Keys of logits in a mapping, in order of preference: Hugging Face, torchvision, and common names."""


def extract_logits(output: object) -> Tensor:
    """Return the logits in a network's output.

    A tensor is the logits. Otherwise the logits are, in this order: the attribute `logits`; the value of one of
    LOGITS_KEYS in a mapping, or its only matrix; the first item of a tuple or list, because auxiliary heads,
    features and tokens come after it.

    Args:
        output: The value that the network returned.

    Returns:
        Logits, N x classes.

    Raises:
        ModelError: If the output contains no logits. The message says what was returned.
    """
    if isinstance(output, Tensor):
        if output.ndim != 2:
            raise ModelError(
                f"the network returned a tensor of shape {tuple(output.shape)}; expected images x classes"
            )
        return output
    logits = getattr(output, "logits", None)
    if logits is None and isinstance(output, Mapping):
        logits = _find_in_mapping(output)
    if logits is None and isinstance(output, tuple | list) and output:
        logits = output[0]
    if logits is None:
        keys = f" with the keys {', '.join(map(str, output))}" if isinstance(output, Mapping) else ""
        raise ModelError(f"the network returned {type(output).__name__}{keys}; no logits found in it")
    return extract_logits(logits)


def _find_in_mapping(output: Mapping[object, object]) -> object | None:
    """Return the value of the first known key, or the only matrix; None if there is neither."""
    logits = next((output[key] for key in LOGITS_KEYS if key in output), None)
    matrices = [value for value in output.values() if isinstance(value, Tensor) and value.ndim == 2]
    if logits is None and len(matrices) == 1:
        return matrices[0]
    return logits
