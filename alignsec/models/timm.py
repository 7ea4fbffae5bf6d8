"""Builder of timm models, from a state dict or from the weights file of a tag."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import timm
from timm.models import _builder
from torch import nn

from alignsec.models import state_dict
from alignsec.spec.pair import PairModel


def build(model: PairModel, folder: Path) -> nn.Module:
    """Build the network of a `timm:` model.

    Args:
        model: The model of a pair.
        folder: Folder with the weights file.

    Raises:
        ValueError: If the model has no weights file, or the file does not fit.
    """
    name = model.source.removeprefix("timm:")
    if model.weights is None:
        raise ValueError("no weights file; without one the weights would be random")
    weights = folder / model.weights.name
    network: nn.Module
    if model.conversion == "timm":
        overlay: dict[str, Any] = {"file": str(weights)}
        if "num_classes" in model.options:
            # timm replaces the head of a file that has another number of classes than the tag by a random one.
            # With these values it takes the file's own head, and raises an error if its size is another.
            overlay |= {"num_classes": model.options["num_classes"], "label_offset": 0}
        with _complete_load(weights.name):
            network = timm.create_model(name, pretrained=True, pretrained_cfg_overlay=overlay, **model.options)
    else:
        network = timm.create_model(name, pretrained=False, **model.options)
        state_dict.load_strict(network, state_dict.read_state_dict(weights), weights.name)
    return network


@contextmanager
def _complete_load(file: str) -> Iterator[None]:
    """Make timm refuse a file that leaves a part of the network at its initial values, inside a `with` block.

    timm loads some files without checking their keys, and some by a function of the network. So the network's
    values are replaced by NaN before, and no NaN may be left after.
    """
    load = _builder.load_pretrained

    def load_completely(network: nn.Module, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - timm's own
        state_dict.fill_with_nan(network)
        try:
            load(network, *arguments, **options)
        except RuntimeError as error:
            text = " ".join(str(error).split())
            if "Error(s) in loading state_dict" not in text:
                raise
            remedy = f"; {state_dict.HEAD_REMEDY}" if "size mismatch" in text else ""
            raise ValueError(f"{file} does not fit: {text}{remedy}") from error
        state_dict.require_filled(network, file)

    _builder.load_pretrained = load_completely  # type: ignore[assignment]  # only its last arguments are untyped
    try:
        yield
    finally:
        _builder.load_pretrained = load
