"""Builder of a user's own models: calls a function of the Python file that was submitted with the run."""

from pathlib import Path

from torch import nn

from alignsec import python_file
from alignsec.models import state_dict
from alignsec.models.random_weights import build_reproducibly
from alignsec.spec.pair import PairModel


def build(model: PairModel, folder: Path) -> nn.Module:
    """Call the user's function with the model's options and load the weights file, if the model has one.

    Args:
        model: The model of a pair.
        folder: Folder with the code file and the weights file.

    Raises:
        ValueError: If the function returns no torch.nn.Module, or the weights file does not fit.
        ModelError: If parameters stay random, and the study does not accept it.
        Exception: Any error of the user's code.
    """
    if model.code is None:
        raise ValueError("no code file")
    function = model.source.removeprefix(python_file.SCHEME)
    build_network = python_file.load_callable(folder / model.code.name, function)

    def make() -> nn.Module:
        network = build_network(**model.options)
        if not isinstance(network, nn.Module):
            raise ValueError(f"{function} returned {type(network).__name__}; expected a torch.nn.Module")
        if model.weights is not None:
            weights = folder / model.weights.name
            state_dict.load_strict(network, state_dict.read_state_dict(weights), weights.name)
        return network

    return build_reproducibly(make, allowed=model.random_weights)
