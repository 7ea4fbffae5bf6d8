"""timm's networks: an architecture filled from a state dict, or a tag through timm's own conversion."""

from pathlib import Path

import timm
from torch import nn

from alignsec.models import state_dict
from alignsec.spec.pair import PairModel


def build(model: PairModel, folder: Path) -> nn.Module:
    """The network of a `timm:` model, its weights file lying in the folder."""
    name = model.source.removeprefix("timm:")
    if model.weights is None:
        raise ValueError("it has no weights file, without which its weights are random")
    weights = folder / model.weights.name
    network: nn.Module
    if model.conversion == "timm":
        overlay = {"file": str(weights)}
        network = timm.create_model(name, pretrained=True, pretrained_cfg_overlay=overlay, **model.options)
    else:
        network = timm.create_model(name, pretrained=False, **model.options)
        state_dict.fill(network, state_dict.read(weights), weights.name)
    return network
