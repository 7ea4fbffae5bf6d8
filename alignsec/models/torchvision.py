"""Builder of torchvision's classification models, from torchvision's own weights or from a state dict."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torchvision.models import WeightsEnum, get_model, get_model_weights

from alignsec.models import state_dict
from alignsec.spec.pair import PairModel


def build(model: PairModel, folder: Path) -> nn.Module:
    """Build the network of a `torchvision:` model.

    Args:
        model: The model of a pair.
        folder: Folder with the weights file.

    Raises:
        ValueError: If the model has no weights file, or the file does not fit.
    """
    name, _, weights_name = model.source.removeprefix("torchvision:").partition(".")
    if model.weights is None:
        raise ValueError("no weights file; without one the weights would be random")
    file = folder / model.weights.name
    network: nn.Module
    if model.conversion == "torchvision":
        published = get_model_weights(name)[weights_name]
        classes = len(published.meta["categories"])
        if model.options.get("num_classes", classes) != classes:
            raise ValueError(
                f"the published weights have {classes} classes, the options {model.options['num_classes']}; for a "
                'file with another head set conversion = "none"'
            )
        with _weights_from_file(file):
            network = get_model(name, weights=published, **model.options)
    else:
        network = get_model(name, weights=None, **model.options)
        state_dict.load_strict(network, state_dict.read_state_dict(file), file.name)
    return network


@contextmanager
def _weights_from_file(file: Path) -> Iterator[None]:
    """Make torchvision's builders read a local file inside a `with` block.

    The builders know how their weights must be converted (renamed keys, omitted heads), but they can only download
    them, and read them as pickles.
    """
    download = WeightsEnum.get_state_dict

    def read(self: WeightsEnum, *args: Any, **options: Any) -> dict[str, Tensor]:  # noqa: ANN401 - torchvision's own
        return state_dict.read_state_dict(file)

    WeightsEnum.get_state_dict = read
    try:
        yield
    finally:
        WeightsEnum.get_state_dict = download
