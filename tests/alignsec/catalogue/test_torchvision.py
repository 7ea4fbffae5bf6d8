"""The catalogue of torchvision's models compared with the installed torchvision."""

import io
import math
from pathlib import Path

import pytest
from timm.data import ImageNetInfo
from torchvision.models import get_model_weights

from alignsec.catalogue import torchvision
from alignsec.catalogue.generate import torchvision as torchvision_models


def test_the_file_agrees_with_the_installed_torchvision(checkout: Path):
    """If it fails after a change of torchvision's version, run `make catalogue`."""
    written = io.StringIO()
    torchvision_models.write(written)
    kept = checkout / "alignsec" / "catalogue" / torchvision.FILE
    assert written.getvalue() == kept.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "name", ["resnet50.IMAGENET1K_V2", "vit_b_16.IMAGENET1K_SWAG_E2E_V1", "mnasnet0_5.IMAGENET1K_V1"]
)
def test_preprocessing_is_that_of_the_preset(name: str):
    architecture, weights = name.split(".")
    preset = get_model_weights(architecture)[weights].transforms()
    found = torchvision.read_model_info(name).preprocessing
    side = preset.crop_size[0]
    assert found["input_size"] == [3, side, side]
    crop_pct = found["crop_pct"]
    assert isinstance(crop_pct, float)
    assert math.floor(side / crop_pct) == preset.resize_size[0], (
        "timm's transform computes the resized side like this"
    )
    assert (found["mean"], found["std"]) == (preset.mean, preset.std)
    assert found["interpolation"] == preset.interpolation.value


def test_labels_are_in_imagenets_order():
    """The class names of all weights equal timm's list for ImageNet, except for two that torchvision
    distinguishes."""
    info = ImageNetInfo()
    names = [info.index_to_description(index).split(",")[0].lower() for index in range(1000)]
    names[134], names[639] = "crane bird", "maillot tank suit"
    for name, info in torchvision.read_models().items():
        if info.weights and info.classes:
            architecture, weights = name.split(".")
            categories = get_model_weights(architecture)[weights].meta["categories"]
            assert [category.lower() for category in categories] == names, name
