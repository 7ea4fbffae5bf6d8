"""A user's networks: a callable of a Python file that travelled with the run."""

import importlib.util
from pathlib import Path

from torch import nn

from alignsec.models import state_dict
from alignsec.spec.pair import PairModel


def build(model: PairModel, folder: Path) -> nn.Module:
    """What the callable returns, given the options; filled from the weights file where there is one.

    Raises ValueError if it is no network, and whatever the user's code raises.
    """
    if model.code is None:
        raise ValueError("it has no code file")
    function = model.source.removeprefix("python:")
    spec = importlib.util.spec_from_file_location("code_of_the_study", folder / model.code.name)
    if spec is None or spec.loader is None:
        raise ValueError(f"{model.code.name} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    network = getattr(module, function)(**model.options)
    if not isinstance(network, nn.Module):
        raise ValueError(f"{function} returned {type(network).__name__}, not a torch.nn.Module")
    if model.weights is not None:
        state_dict.fill(network, state_dict.read(folder / model.weights.name), model.weights.name)
    return network
