"""The source `timm:NAME`: every architecture and every pretrained tag of timm."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from alignsec.catalogue.model_info import ModelInfo, UnknownModelError
from alignsec.errors import nearest

FILE = "timm.csv"
COLUMNS = (
    *("name", "hub", "url", "input_size", "mean", "std", "interpolation", "crop_pct", "crop_mode", "classes"),
)


def read_model_info(name: str) -> ModelInfo:
    """Return the properties of a tag such as `resnet50.a1_in1k`, or of an architecture such as `resnet50`.

    Raises:
        UnknownModelError: With the most similar names.
    """
    models = read_models()
    if name not in models:
        siblings = list_tags(name.split(".", maxsplit=1)[0])
        raise UnknownModelError(f"is not a model of timm; {nearest(name, siblings or list(models))}")
    model = models[name]
    if not model.is_tag:
        return ModelInfo(classes=model.classes, examples=tuple(list_tags(name)[:4]))
    return ModelInfo(
        preprocessing=model.preprocessing or {},
        classes=model.classes,
        weights=True,
        conversion="timm",
        hub=model.hub,
        url=model.url,
    )


@dataclass(frozen=True)
class TimmModel:
    """One architecture, such as `resnet50`, or one pretrained tag, such as `resnet50.a1_in1k`."""

    name: str
    hub: str
    """Repository of the weights on the model hub; empty for an architecture, and for a tag that is not there."""
    url: str
    """Address of the weights if they are not on the hub, else empty."""
    preprocessing: Mapping[str, object] | None
    """The authors' preprocessing, in the form of a study; None for an architecture."""
    classes: int
    """Number of classes of the classifier; 0 for weights without one, such as self-supervised ones."""

    @property
    def is_tag(self) -> bool:
        """Whether the name denotes weights, not only for an architecture."""
        return self.preprocessing is not None


@cache
def read_models() -> dict[str, TimmModel]:
    """Return every model of the pinned timm by name."""
    with files("alignsec.catalogue").joinpath(FILE).open(encoding="utf-8") as file:
        return {row["name"]: _parse_row(row) for row in csv.DictReader(file)}


def list_tags(architecture: str) -> list[str]:
    """Return the pretrained tags of one architecture."""
    return _group_tags().get(architecture, [])


@cache
def _group_tags() -> dict[str, list[str]]:
    """Return the pretrained tags of every architecture."""
    tags: dict[str, list[str]] = {}
    for name, model in read_models().items():
        if model.is_tag:
            tags.setdefault(name.split(".", maxsplit=1)[0], []).append(name)
    return tags


def _parse_row(row: dict[str, str]) -> TimmModel:
    if not row["input_size"]:
        return TimmModel(row["name"], "", "", None, 1000)
    return TimmModel(
        name=row["name"],
        hub=row["hub"],
        url=row["url"],
        preprocessing=parse_preprocessing(row),
        classes=int(row["classes"]),
    )


def parse_preprocessing(row: Mapping[str, str]) -> dict[str, object]:
    """Return the preprocessing in a catalogue's row, in the form of a study."""
    return {
        "input_size": [int(side) for side in row["input_size"].split("x")],
        "mean": [float(value) for value in row["mean"].split()],
        "std": [float(value) for value in row["std"].split()],
        "interpolation": row["interpolation"],
        "crop_pct": float(row["crop_pct"]),
        "crop_mode": row["crop_mode"],
    }
