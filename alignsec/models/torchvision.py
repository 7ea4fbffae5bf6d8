"""torchvision's classification networks, from its own weights or from a state dict."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torchvision.models import WeightsEnum, get_model, get_model_weights

from alignsec.models import state_dict
from alignsec.spec.pair import PairModel


def build(model: PairModel, folder: Path) -> nn.Module:
    """The network of a `torchvision:` model, its weights file lying in the folder."""
    name, _, weights_name = model.source.removeprefix("torchvision:").partition(".")
    if model.weights is None:
        raise ValueError("it has no weights file, without which its weights are random")
    file = folder / model.weights.name
    network: nn.Module
    if model.conversion == "torchvision":
        with _weights_from(file):
            network = get_model(name, weights=get_model_weights(name)[weights_name], **model.options)
    else:
        network = get_model(name, weights=None, **model.options)
        state_dict.fill(network, state_dict.read(file), file.name)
    return network


@contextmanager
def _weights_from(file: Path) -> Iterator[None]:
    """torchvision's builders know what their weights need (old key names, heads that go), but only download them,
    and read them as pickles; meanwhile they are given the file's tensors instead."""
    download = WeightsEnum.get_state_dict

    def read(self: WeightsEnum, *args: Any, **options: Any) -> dict[str, Tensor]:  # noqa: ANN401 - torchvision's own
        return state_dict.read(file)

    WeightsEnum.get_state_dict = read
    try:
        yield
    finally:
        WeightsEnum.get_state_dict = download
