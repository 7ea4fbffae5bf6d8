"""`brainscore:NAME`: the models of Brain-Score's vision registry, which its own plugins build."""

import csv
from functools import cache
from importlib.resources import files

from alignsec.catalogue.model_info import ModelInfo, UnknownModel
from alignsec.catalogue.timm import preprocessing
from alignsec.errors import nearest

COLUMNS = ("name", "plugin", "input_size", "mean", "std", "interpolation", "crop_pct", "crop_mode")
FILE = "brainscore.csv"
SCHEME = "brainscore:"


def read_model_info(name: str) -> ModelInfo:
    """What the registry knows of one model. Raises UnknownModel with the nearest names.

    Its weights are an archive of what the plugin fetches for itself. How many classes it has, only building it
    shows; so does its preprocessing where the plugin's source does not tell it in so many words.
    """
    found = entries().get(name)
    if found is None:
        raise UnknownModel(f"is not in Brain-Score's vision registry; {nearest(name, list(entries()))}")
    return found


@cache
def entries() -> dict[str, ModelInfo]:
    """Every model of the pinned brainscore_vision by name."""
    with files("alignsec.catalogue").joinpath(FILE).open(encoding="utf-8") as file:
        return {row["name"]: _known(row) for row in csv.DictReader(file)}


def _known(row: dict[str, str]) -> ModelInfo:
    told = preprocessing(row) if row["input_size"] else {}
    # No address that one could fetch: only the plugin knows what it fetches, and from where.
    return ModelInfo(preprocessing=told, weights=True, conversion="brainscore", url=f"{SCHEME}{row['name']}")
