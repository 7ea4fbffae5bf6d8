"""What torchvision knows of its models, as an access point without torch reads it."""

import io
import math
from pathlib import Path

import pytest
from timm.data import ImageNetInfo
from torchvision.models import get_model_weights

from alignsec.catalogue import torchvision
from alignsec.catalogue.generate import torchvision as torchvision_models


def test_the_file_is_what_the_installed_torchvision_says(checkout: Path):
    """After a change of torchvision's version: `make catalogue`."""
    written = io.StringIO()
    torchvision_models.write(written)
    kept = checkout / "alignsec" / "catalogue" / torchvision.FILE
    assert written.getvalue() == kept.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "name", ["resnet50.IMAGENET1K_V2", "vit_b_16.IMAGENET1K_SWAG_E2E_V1", "mnasnet0_5.IMAGENET1K_V1"]
)
def test_preprocessing_is_the_preset(name: str):
    architecture, weights = name.split(".")
    preset = get_model_weights(architecture)[weights].transforms()
    found = torchvision.read_model_info(name).preprocessing
    side = preset.crop_size[0]
    assert found["input_size"] == [3, side, side]
    crop_pct = found["crop_pct"]
    assert isinstance(crop_pct, float)
    assert math.floor(side / crop_pct) == preset.resize_size[0], (
        "as timm's transform computes the resized side from it"
    )
    assert (found["mean"], found["std"]) == (preset.mean, preset.std)
    assert found["interpolation"] == preset.interpolation.value


def test_labels_are_in_imagenets_order():
    """The names of all classes of all weights, against timm's list of ImageNet's; torchvision tells two apart."""
    info = ImageNetInfo()
    names = [info.index_to_description(index).split(",")[0].lower() for index in range(1000)]
    names[134], names[639] = "crane bird", "maillot tank suit"
    for name, entry in torchvision.entries().items():
        if entry.weights and entry.classes:
            architecture, weights = name.split(".")
            categories = get_model_weights(architecture)[weights].meta["categories"]
            assert [category.lower() for category in categories] == names, name
