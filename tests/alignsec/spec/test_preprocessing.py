"""Preprocessing: required fields and valid combinations."""

import pytest
from pydantic import ValidationError

from alignsec.catalogue import timm
from alignsec.errors import ConfigErrors
from alignsec.spec.preprocessing import Preprocessing
from alignsec.study.study import Study
from tests.paths import CASES

RGB = {
    "input_size": [3, 224, 224],
    "mean": [0.5, 0.5, 0.5],
    "std": [0.5, 0.5, 0.5],
    "interpolation": "bicubic",
    "crop_pct": 0.875,
}


@pytest.mark.parametrize("field", ["input_size", "mean", "std", "interpolation", "crop_pct"])
def test_a_missing_field_is_rejected(field: str):
    with pytest.raises(ValidationError, match=field):
        Preprocessing.model_validate({key: value for key, value in RGB.items() if key != field})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"input_size": [2, 8, 8], "mean": [0, 0], "std": [1, 1]}, r"has 2 channels; expected 1 \(grey\) or 3"),
        ({"mean": [0.5]}, "one mean for each of its 3 channels"),
        ({"std": [1, 1]}, "one std for each of its 3 channels"),
        ({"std": [0.5, 0.5, 0]}, "greater than 0"),
        ({"std": [0.5, 0.5, float("nan")]}, "std.2"),
        ({"mean": [0.5, 0.5, float("inf")]}, "mean.2"),
        (
            {"mean": [127.5, 127.5, 127.5]},
            r"mean.0\n.*pixels in \[0,1\]; divide values for pixels in 0..255 by 255",
        ),
        ({"std": [58.4, 57.1, 57.4]}, r"std.0\n.*must be from 0 to 1"),
        ({"mean": [0.5, 0.5, 1.01]}, r"mean.2\n.*must be from 0 to 1"),
        ({"mean": [0.5, -0.1, 0.5]}, r"mean.1\n.*must be from 0 to 1"),
        ({"crop_pct": 0}, "greater than 0"),
        ({"crop_pct": 2.1}, "less than or equal to 2"),
        ({"interpolation": "cubic"}, "bicubic"),
        ({"crop_mode": "middle"}, "squash"),
        ({"resize": 256}, "Extra inputs"),
        ({"antialias": False, "interpolation": "lanczos"}, "not lanczos"),
        ({"antialias": False, "crop_mode": "border"}, "needs a square center crop or squash"),
        ({"antialias": False, "input_size": [3, 224, 200]}, "needs a square center crop or squash"),
        ({"input_size": [3, 0, 224]}, "greater than or equal to 1"),
    ],
)
def test_invalid_values_are_rejected(changes: dict[str, object], message: str):
    with pytest.raises(ValidationError, match=message):
        Preprocessing.model_validate({**RGB, **changes})


def test_the_preprocessing_of_every_timm_tag_is_valid():
    """A tag with a rejected configuration could not be studied."""
    tags = [entry for entry in timm.read_models().values() if entry.is_tag]
    assert len(tags) > 1000
    for entry in tags:
        sides = Preprocessing.model_validate(entry.preprocessing).input_size
        assert min(sides) > 0, entry.name


@pytest.mark.parametrize(("mean", "std"), [((0.0,) * 3, (1.0,) * 3), ((0.485, 0.456, 0.406), (1 / 255,) * 3)])
def test_means_and_stds_of_published_models_are_valid(mean: tuple[float, ...], std: tuple[float, ...]):
    """Some networks subtract nothing, or take pixels in 0..255, which is a std of 1/255."""
    assert Preprocessing.model_validate({**RGB, "mean": mean, "std": std}).std == std


def test_a_mean_of_a_real_case_is_refused():
    study = CASES / "33-mean-and-std-in-0-255" / "study.toml"
    with pytest.raises(ConfigErrors) as caught:
        Study.load(study, files_must_exist=False)
    fields = {error.field for error in caught.value.errors}
    assert fields == {f"models[1].preprocessing.{name}[{at}]" for name in ("mean", "std") for at in range(3)}
