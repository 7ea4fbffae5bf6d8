"""Preprocessing: required fields and valid combinations."""

import pytest
from pydantic import ValidationError

from alignsec.catalogue import timm
from alignsec.spec.preprocessing import Preprocessing

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
