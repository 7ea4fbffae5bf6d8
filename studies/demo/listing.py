"""The models as studies/demo.toml lists them: the one place that says what each network is."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

STUDY_FILE = Path(__file__).parent.parent / "demo.toml"

_SOURCE = "timm:"
_RESIZING = {"interpolation": "bilinear", "crop_pct": 1.0, "crop_mode": "center"}


class ListingError(ValueError):
    """A model table of the study that the demo cannot build; the text names file, field and remedy."""


@dataclass(frozen=True)
class ModelEntry:
    """One `[[models]]` table.

    Attributes:
        name: the model's name, and its row in the scores table.
        architecture: name of a timm architecture.
        options: keyword arguments of `timm.create_model`.
        weights: name of the checkpoint file inside the assets' `weights` folder.
        side: height and width of the input, pixels.
        mean: subtracted from pixels in [0, 1].
        std: divides what remains; above 0.
    """

    name: str
    architecture: str
    options: Mapping[str, Any]
    weights: str
    side: int
    mean: float
    std: float


def read_models(study_file: Path) -> tuple[ModelEntry, ...]:
    """Return the models of a study file, in its order.

    Raises:
        ListingError: a table lacks a field or asks for what the demo does not make.
        OSError, tomllib.TOMLDecodeError: the file cannot be read.
    """
    tables = tomllib.loads(study_file.read_text(encoding="utf-8")).get("models", [])
    return tuple(_entry(table, f"{study_file}: models[{i}]") for i, table in enumerate(tables))


def _entry(table: Mapping[str, Any], place: str) -> ModelEntry:
    for field in ("name", "source", "weights", "options", "preprocessing"):
        if field not in table:
            raise ListingError(f"{place}.{field}: missing; the demo builds its models from it")
    source, preprocessing = str(table["source"]), table["preprocessing"]
    if not source.startswith(_SOURCE):
        raise ListingError(f"{place}.source: {source!r} is not a timm architecture; write {_SOURCE}resnet10t")
    for field, value in _RESIZING.items():
        if preprocessing.get(field) != value:
            given = preprocessing.get(field)
            remedy = f"is not what the demo trains with; write {value!r}"
            raise ListingError(f"{place}.preprocessing.{field}: {given!r} {remedy}")
    match preprocessing:
        case {"input_size": [1, int(height), int(width)], "mean": [float(mean)], "std": [float(std)]} if (
            height == width and std > 0
        ):
            pass
        case _:
            remedy = "is not a square grey input; write input_size = [1, 16, 16], mean = [0.5], std = [0.25]"
            raise ListingError(f"{place}.preprocessing: {preprocessing!r} {remedy}")
    return ModelEntry(
        name=str(table["name"]),
        architecture=source.removeprefix(_SOURCE),
        options=dict(table["options"]),
        weights=Path(table["weights"]).name,
        side=height,
        mean=mean,
        std=std,
    )
