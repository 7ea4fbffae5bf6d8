"""The source `torchvision:MODEL.WEIGHTS`: torchvision's classification models and their published accuracies."""

import csv
from functools import cache
from importlib.resources import files

from alignsec.catalogue.model_info import ModelInfo, UnknownModelError
from alignsec.catalogue.timm import parse_preprocessing
from alignsec.errors import nearest
from alignsec.spec.pair import Published

COLUMNS = (
    *("name", "url", "input_size", "mean", "std", "interpolation", "crop_pct", "crop_mode", "classes"),
    "top1",
)
FILE = "torchvision.csv"


def read_model_info(name: str) -> ModelInfo:
    """Return the properties of weights such as `resnet50.IMAGENET1K_V2`, or of an architecture such as `resnet50`.

    Raises:
        UnknownModelError: With the most similar names.
    """
    found = read_models().get(name)
    if found is None:
        siblings = list_weights(name.split(".", maxsplit=1)[0])
        remedy = nearest(name, siblings or list(read_models()))
        raise UnknownModelError(f"is not a classification model of torchvision; {remedy}")
    return found


@cache
def read_models() -> dict[str, ModelInfo]:
    """Return every classification model of the pinned torchvision, and each of its weights, by name."""
    with files("alignsec.catalogue").joinpath(FILE).open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    weights = [row["name"] for row in rows if row["url"]]
    return {row["name"]: _parse_row(row, weights) for row in rows}


def list_weights(architecture: str) -> list[str]:
    """Return the names of an architecture's weights."""
    return [name for name, info in read_models().items() if info.weights and name.split(".")[0] == architecture]


def _parse_row(row: dict[str, str], weights: list[str]) -> ModelInfo:
    if not row["url"]:
        own = [name for name in weights if name.split(".")[0] == row["name"]]
        return ModelInfo(classes=1000, examples=tuple(own))
    published = None
    if row["top1"]:
        published = Published(top1=float(row["top1"]), where="torchvision's own figure for these weights")
    return ModelInfo(
        preprocessing=parse_preprocessing(row),
        classes=int(row["classes"]),
        weights=True,
        conversion="torchvision",
        url=row["url"],
        published=published,
    )
