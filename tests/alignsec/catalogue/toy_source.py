"""A toy model source in one file: the reader of its model list and the builder of its networks."""

from pathlib import Path
from typing import Any

from alignsec.catalogue.model_info import ModelInfo, UnknownModelError
from alignsec.catalogue.sources import ModelSource
from alignsec.errors import nearest
from alignsec.spec.pair import PairModel

PREPROCESSING = {
    "input_size": [1, 4, 4],
    "mean": [0.5],
    "std": [0.25],
    "interpolation": "bilinear",
    "crop_pct": 1.0,
}
ENTRY = ModelSource(
    scheme="toy",
    example="toy:linear",
    builder="tests.alignsec.catalogue.toy_source:build",
    reader="tests.alignsec.catalogue.toy_source:read_model_info",
    libraries=("toy-networks",),
    converts=True,
)


def read_model_info(name: str) -> ModelInfo:
    """Return what is known of `toy:linear`, the only model of the source."""
    if name != "linear":
        raise UnknownModelError(f"is not a model of the toy source; {nearest(name, ['linear'])}")
    return ModelInfo(preprocessing=PREPROCESSING, classes=1000, makes_weights=True, conversion="toy")


def build(model: PairModel, folder: Path) -> Any:
    """Return a linear classifier whose logits are all zero."""
    from torch import nn  # noqa: PLC0415 - the access point reads model lists without torch

    network = nn.Sequential(nn.Flatten(), nn.Linear(16, 1000))
    for parameter in network.parameters():
        nn.init.zeros_(parameter)
    return network
