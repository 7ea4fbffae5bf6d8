"""Entry point: `python -m alignsec.models.conversion IN OUT` converts a torch file of tensors to safetensors.

A program of its own: whoever fetches weights may have no torch, and a checkpoint is better opened away from it.
"""

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

CONVERTED, UNREADABLE, UNSUITED = 0, 1, 3

WRAPPERS = ("state_dict_ema", "model_ema", "state_dict", "model")
"""Under which timm.models.load_state_dict looks for the tensors, in its order; ours must choose as it does."""


class Unsuited(Exception):
    """A file that safetensors cannot hold without a loss."""


def convert(source: Path, target: Path) -> None:
    """Write the tensors of a torch file as safetensors; what is around them (optimiser, epoch) is left out.

    Read with weights_only, so the file runs no code. Raises Unsuited where something would be lost that a loader
    could use, OSError, and what torch.load raises for a file it cannot read.
    """
    tensors = _tensors(torch.load(source, map_location="cpu", weights_only=True))
    # Copies, each with its own memory: tensors that share it are one to safetensors.
    apart = {key: tensor.detach().clone(memory_format=torch.contiguous_format) for key, tensor in tensors.items()}
    try:
        save_file(apart, target)
    except (SafetensorError, ValueError, KeyError) as error:
        raise Unsuited(f"safetensors does not take it: {error}") from error
    again = load_file(target)
    if again.keys() != tensors.keys() or not all(_same(tensors[key], again[key]) for key in tensors):
        target.unlink()
        raise Unsuited("safetensors gave other tensors back")


def _tensors(content: object) -> dict[str, Tensor]:
    """The tensors of a checkpoint, out of the wrapper that timm would take them from."""
    if not isinstance(content, Mapping):
        raise Unsuited(f"holds a {type(content).__name__}, not a table of tensors")
    inner = next((content[key] for key in WRAPPERS if content.get(key) is not None), content)
    if not isinstance(inner, Mapping) or not inner:
        raise Unsuited("holds no table of tensors")
    others = [str(key) for key, value in inner.items() if not (isinstance(key, str) and _is_plain(value))]
    if others:
        raise Unsuited(f"holds more than plain tensors: {', '.join(others[:3])}")
    return dict(inner)


def _is_plain(value: object) -> bool:
    return isinstance(value, Tensor) and value.layout is torch.strided and not value.is_quantized


def _same(one: Tensor, other: Tensor) -> bool:
    """Bit by bit, so that NaN equals NaN and -0 is not 0."""
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    pair = (tensor.detach().contiguous().reshape(-1).view(torch.uint8) for tensor in (one, other))
    return bool(torch.equal(*pair))


def main(source: str, target: str) -> int:
    """Convert one file; 0 if it was, 3 if it is to stay as it is, 1 if it cannot be read. Says why on stderr."""
    return run_command(
        partial(_run, Path(source), Path(target)), "the file was not converted", expected={Unsuited: UNSUITED}
    )


def _run(source: Path, target: Path) -> int:
    try:
        convert(source, target)
    except (OSError, EOFError, RuntimeError, ValueError, UnpicklingError) as error:
        said = (str(error).splitlines() or [""])[0][:200]
        sys.stderr.write(f"{type(error).__name__}: {said}\n")
        return UNREADABLE
    return CONVERTED


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
