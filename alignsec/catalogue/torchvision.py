"""`torchvision:MODEL.WEIGHTS`: torchvision's classification models, with what torchvision says of its weights."""

import csv
from functools import cache
from importlib.resources import files

from alignsec.catalogue.model_info import ModelInfo, UnknownModel
from alignsec.catalogue.timm import preprocessing
from alignsec.errors import nearest
from alignsec.spec.pair import Published

COLUMNS = (
    *("name", "url", "input_size", "mean", "std", "interpolation", "crop_pct", "crop_mode", "classes"),
    "top1",
)
FILE = "torchvision.csv"


def read_model_info(name: str) -> ModelInfo:
    """What torchvision knows of `resnet50.IMAGENET1K_V2`, or of an architecture such as `resnet50`.

    Raises UnknownModel with the nearest names.
    """
    found = entries().get(name)
    if found is None:
        siblings = weights_of(name.split(".", maxsplit=1)[0])
        remedy = nearest(name, siblings or list(entries()))
        raise UnknownModel(f"is not a classification model of torchvision; {remedy}")
    return found


@cache
def entries() -> dict[str, ModelInfo]:
    """Every classification model of the pinned torchvision, and each of its weights, by name."""
    with files("alignsec.catalogue").joinpath(FILE).open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    weights = [row["name"] for row in rows if row["url"]]
    return {row["name"]: _known(row, weights) for row in rows}


def weights_of(architecture: str) -> list[str]:
    """The names of an architecture's weights."""
    return [name for name, entry in entries().items() if entry.weights and name.split(".")[0] == architecture]


def _known(row: dict[str, str], weights: list[str]) -> ModelInfo:
    if not row["url"]:
        own = [name for name in weights if name.split(".")[0] == row["name"]]
        return ModelInfo(classes=1000, examples=tuple(own))
    published = None
    if row["top1"]:
        published = Published(top1=float(row["top1"]), where="torchvision's own figure for these weights")
    return ModelInfo(
        preprocessing=preprocessing(row),
        classes=int(row["classes"]),
        weights=True,
        conversion="torchvision",
        url=row["url"],
        published=published,
    )
