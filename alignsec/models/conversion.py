"""Entry point: `python -m alignsec.models.conversion IN OUT` converts a torch file of tensors to safetensors.

It is a separate program because the program that downloads weights may run without torch, and because an
untrusted file is better opened in a separate process.
"""

import struct
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from pickle import UnpicklingError

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from alignsec.command import run_command

CONVERTED, UNREADABLE, UNSUPPORTED = 0, 1, 3
"""Exit codes."""
_UNREADABLE_FILE = (
    ArithmeticError, AssertionError, AttributeError, EOFError, LookupError, MemoryError, OSError,
    RuntimeError, TypeError,
    UnpicklingError, ValueError, struct.error,
)  # fmt: skip
"""Exceptions of torch.load for a damaged file, depending on the damaged byte."""

WRAPPERS = ("state_dict_ema", "model_ema", "state_dict", "model")
"""Keys under which timm.models.load_state_dict looks for the tensors, in its order; both must agree."""


class ConversionError(Exception):
    """A file whose content safetensors cannot store completely."""


def convert(source: Path, target: Path) -> None:
    """Write the tensors of a torch file as safetensors, without what surrounds them, such as optimiser and epoch.

    The file is read with `weights_only`, so it runs no code.

    Args:
        source: The torch file.
        target: The safetensors file to write.

    Raises:
        ConversionError: If something that a loader could use would be lost.
        OSError: If a file cannot be read or written.
        Exception: Any error of torch.load for a file that it cannot read.
    """
    tensors = _extract_tensors(torch.load(source, map_location="cpu", weights_only=True))
    # Copies with separate memory: safetensors does not accept tensors that share memory.
    copies = {key: tensor.detach().clone(memory_format=torch.contiguous_format) for key, tensor in tensors.items()}
    try:
        save_file(copies, target)
    except (SafetensorError, ValueError, KeyError) as error:
        raise ConversionError(f"safetensors rejects the tensors: {error}") from error
    written = load_file(target)
    if written.keys() != tensors.keys() or not all(_is_same(tensors[key], written[key]) for key in tensors):
        target.unlink()
        raise ConversionError("the safetensors file does not contain the same tensors")


def _extract_tensors(content: object) -> dict[str, Tensor]:
    """Return the tensors of a torch file, from the wrapper from which timm takes them."""
    if not isinstance(content, Mapping):
        raise ConversionError(f"contains a {type(content).__name__}; expected a dictionary of tensors")
    inner = next((content[key] for key in WRAPPERS if content.get(key) is not None), content)
    if not isinstance(inner, Mapping) or not inner:
        raise ConversionError("contains no dictionary of tensors")
    others = [str(key) for key, value in inner.items() if not (isinstance(key, str) and _is_plain(value))]
    if others:
        raise ConversionError(f"contains values that are not plain tensors: {', '.join(others[:3])}")
    return dict(inner)


def _is_plain(value: object) -> bool:
    return isinstance(value, Tensor) and value.layout is torch.strided and not value.is_quantized


def _is_same(one: Tensor, other: Tensor) -> bool:
    """Compare bit by bit, so that NaN equals NaN and -0 differs from 0."""
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    pair = (tensor.detach().contiguous().reshape(-1).view(torch.uint8) for tensor in (one, other))
    return bool(torch.equal(*pair))


def main(source: str, target: str) -> int:
    """Convert one file and write the reason of a failure to stderr.

    Returns:
        0 if the file was converted, 3 if it must stay a torch file, 1 if it cannot be read, 130 after Ctrl-C.
    """
    return run_command(
        partial(_run, Path(source), Path(target)),
        "the file was not converted",
        expected={ConversionError: UNSUPPORTED},
    )


def _run(source: Path, target: Path) -> int:
    try:
        convert(source, target)
    except _UNREADABLE_FILE as error:
        message = (str(error).splitlines() or [""])[0][:200]
        sys.stderr.write(f"{type(error).__name__}: {message}\n")
        return UNREADABLE
    return CONVERTED


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
