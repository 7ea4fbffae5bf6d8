"""Builder of timm models, from a state dict or from the weights file of a tag."""

from pathlib import Path

import timm
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
        overlay = {"file": str(weights)}
        network = timm.create_model(name, pretrained=True, pretrained_cfg_overlay=overlay, **model.options)
    else:
        network = timm.create_model(name, pretrained=False, **model.options)
        state_dict.load_strict(network, state_dict.read_state_dict(weights), weights.name)
    return network
