"""`timm:NAME`: every pretrained tag and every architecture of timm."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from alignsec.catalogue.model_info import ModelInfo, UnknownModel
from alignsec.errors import nearest


def read_model_info(name: str) -> ModelInfo:
    """What timm knows of one tag, such as `resnet50.a1_in1k`, or one architecture, such as `resnet50`.

    Raises UnknownModel with the nearest names.
    """
    models = entries()
    if name not in models:
        siblings = tags_of(name.split(".", maxsplit=1)[0])
        raise UnknownModel(f"is not a model of timm; {nearest(name, siblings or list(models))}")
    entry = models[name]
    if not entry.is_tag:
        return ModelInfo(classes=entry.classes, examples=tuple(tags_of(name)[:4]))
    return ModelInfo(
        preprocessing=entry.preprocessing or {},
        classes=entry.classes,
        weights=True,
        conversion="timm",
        hub=entry.hub,
        url=entry.url,
    )


COLUMNS = (
    *("name", "hub", "url", "input_size", "mean", "std", "interpolation", "crop_pct", "crop_mode", "classes"),
)


@dataclass(frozen=True)
class Entry:
    """One architecture, such as `resnet50`, or one pretrained tag, such as `resnet50.a1_in1k`."""

    name: str
    hub: str
    """Repository of the weights on the model hub; empty for an architecture, and for a tag that lies elsewhere."""
    url: str
    """Where they lie instead; empty where the hub has them."""
    preprocessing: Mapping[str, object] | None
    """As its authors set it, in the form a study takes; None for an architecture."""
    classes: int
    """Of the classifier; 0 for weights that have none, such as self-supervised ones."""

    @property
    def is_tag(self) -> bool:
        """Whether it names weights, not only an architecture."""
        return self.preprocessing is not None


@cache
def entries() -> dict[str, Entry]:
    """Every model of the pinned timm by name."""
    with files("alignsec.catalogue").joinpath("timm_catalogue.csv").open(encoding="utf-8") as file:
        return {row["name"]: _entry(row) for row in csv.DictReader(file)}


def tags_of(architecture: str) -> list[str]:
    """The pretrained tags of one architecture."""
    return [name for name, entry in entries().items() if entry.is_tag and name.split(".")[0] == architecture]


def _entry(row: dict[str, str]) -> Entry:
    if not row["input_size"]:
        return Entry(row["name"], "", "", None, 1000)
    return Entry(
        name=row["name"],
        hub=row["hub"],
        url=row["url"],
        preprocessing=preprocessing(row),
        classes=int(row["classes"]),
    )


def preprocessing(row: Mapping[str, str]) -> dict[str, object]:
    """A catalogue's row in the form a study takes."""
    return {
        "input_size": [int(side) for side in row["input_size"].split("x")],
        "mean": [float(value) for value in row["mean"].split()],
        "std": [float(value) for value in row["std"].split()],
        "interpolation": row["interpolation"],
        "crop_pct": float(row["crop_pct"]),
        "crop_mode": row["crop_mode"],
    }
