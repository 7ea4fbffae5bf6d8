"""The networks of studies/demo.toml, read from the study file itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alignsec.errors import ConfigError, ConfigErrors
from alignsec.study.models import StudyModel
from alignsec.study.study import Study

STUDY_FILE = Path(__file__).parent.parent / "demo.toml"

_SOURCE = "timm:"


@dataclass(frozen=True)
class DemoNetwork:
    """One network to train.

    Attributes:
        name: The model's name, which is also its row in the scores table.
        architecture: The name of a timm architecture.
        options: Keyword arguments of `timm.create_model`.
        weights: The name of the checkpoint file in the `weights` folder of the assets.
        side: Height and width of the input in pixels.
        mean: The value subtracted from pixels in [0, 1].
        std: The value by which the difference is divided; above 0.
    """

    name: str
    architecture: str
    options: Mapping[str, Any]
    weights: str
    side: int
    mean: float
    std: float


def read_networks(study_file: Path) -> tuple[DemoNetwork, ...]:
    """Return the networks of a study file, in its order.

    The study's images, weights and scores need not exist yet.

    Raises:
        ConfigErrors: The study file is invalid, or a model is not one that the demo can train.
    """
    study = Study.load(study_file, files_must_exist=False)
    errors = [
        ConfigError(path=study_file, field=f"models[{number}].{field}", given=given, remedy=remedy)
        for number, model in enumerate(study.models)
        for field, (given, remedy) in _unsupported(model).items()
    ]
    if errors:
        raise ConfigErrors(errors)
    return tuple(_network(model) for model in study.models)


def _unsupported(model: StudyModel) -> dict[str, tuple[str, str]]:
    """Return the fields that the demo cannot train with, each with its value and the remedy."""
    preprocessing = model.preprocessing
    channels, height, width = preprocessing.input_size
    found = {}
    if not model.source.startswith(_SOURCE):
        found["source"] = (f'"{model.source}"', f'must be a timm architecture, such as "{_SOURCE}resnet10t"')
    if model.weights is None:
        found["weights"] = ("", "is missing; the demo writes the trained network to this file")
    if channels != 1 or height != width:
        found["preprocessing.input_size"] = (
            str(list(preprocessing.input_size)),
            "must be a square grey input, such as [1, 16, 16]",
        )
    for field, value in (("interpolation", "bilinear"), ("crop_pct", 1.0), ("crop_mode", "center")):
        if (given := getattr(preprocessing, field)) != value:
            found[f"preprocessing.{field}"] = (repr(given), f"must be {value!r}, as in the demo's training")
    return found


def _network(model: StudyModel) -> DemoNetwork:
    assert model.weights is not None  # noqa: S101 # checked by _unsupported; for mypy
    preprocessing = model.preprocessing
    return DemoNetwork(
        name=model.name,
        architecture=model.source.removeprefix(_SOURCE),
        options=model.options,
        weights=model.weights.name,
        side=preprocessing.input_size[1],
        mean=preprocessing.mean[0],
        std=preprocessing.std[0],
    )
