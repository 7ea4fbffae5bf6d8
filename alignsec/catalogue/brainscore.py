"""The source `brainscore:NAME`: models of Brain-Score's vision registry, which its plugins build."""

import csv
from functools import cache
from importlib.resources import files

from alignsec.catalogue.model_info import ModelInfo, UnknownModelError
from alignsec.catalogue.timm import parse_preprocessing
from alignsec.errors import nearest

COLUMNS = ("name", "plugin", "input_size", "mean", "std", "interpolation", "crop_pct", "crop_mode")
FILE = "brainscore.csv"
SCHEME = "brainscore:"


def read_model_info(name: str) -> ModelInfo:
    """Return the properties of one registered model.

    Its weights are an archive of the files that the plugin downloads. Only building the model shows its number of
    classes. Preprocessing is empty if the plugin's source does not show it.

    Raises:
        UnknownModelError: With the most similar names.
    """
    found = read_models().get(name)
    if found is None:
        raise UnknownModelError(f"is not in Brain-Score's vision registry; {nearest(name, list(read_models()))}")
    return found


@cache
def read_models() -> dict[str, ModelInfo]:
    """Return every model of the pinned brainscore_vision by name."""
    with files("alignsec.catalogue").joinpath(FILE).open(encoding="utf-8") as file:
        return {row["name"]: _parse_row(row) for row in csv.DictReader(file)}


def _parse_row(row: dict[str, str]) -> ModelInfo:
    preprocessing = parse_preprocessing(row) if row["input_size"] else {}
    # Not an address for downloads: only the plugin's code contains those.
    url = f"{SCHEME}{row['name']}"
    return ModelInfo(preprocessing=preprocessing, weights=True, conversion="brainscore", url=url)
