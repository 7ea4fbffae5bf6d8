"""The catalogue of timm's models compared with the installed timm."""

import io
from pathlib import Path

import pytest
import timm
from timm.data import resolve_data_config
from timm.models import get_pretrained_cfg

from alignsec.catalogue import timm as timm_catalogue
from alignsec.catalogue.generate import timm as timm_models
from alignsec.catalogue.timm import TimmModel


def test_the_file_agrees_with_the_installed_timm(checkout: Path):
    """If it fails after a change of timm's version, run `make catalogue`."""
    written = io.StringIO()
    timm_models.write(written)
    assert written.getvalue() == (checkout / "alignsec" / "catalogue" / "timm.csv").read_text(encoding="utf-8")


def test_architectures_and_tags():
    models = timm_catalogue.read_models()
    assert models["resnet50"] == TimmModel("resnet50", "", "", None, 1000)
    tag = models["resnet50.a1_in1k"]
    assert tag.is_tag
    assert (tag.hub, tag.classes) == ("timm/resnet50.a1_in1k", 1000)
    assert set(timm.list_models()) <= set(models)


def test_tags_belong_to_their_architecture():
    tags = timm_catalogue.list_tags("resnet50")
    assert "resnet50.a1_in1k" in tags
    assert not [tag for tag in tags if not tag.startswith("resnet50.")]


@pytest.mark.parametrize(
    "tag", ["resnet50.a1_in1k", "vit_base_patch16_224.augreg_in21k_ft_in1k", "volo_d4_448.sail_in1k"]
)
def test_preprocessing_is_that_of_timm(tag: str):
    """timm's evaluation resolves the same configuration for the tag."""
    cfg = get_pretrained_cfg(tag)
    assert cfg is not None
    resolved = resolve_data_config(pretrained_cfg=cfg.to_dict())
    found = timm_catalogue.read_models()[tag].preprocessing
    assert found is not None
    for key in ("input_size", "mean", "std", "interpolation", "crop_pct", "crop_mode"):
        given = found[key]
        assert (tuple(given) if isinstance(given, list) else given) == resolved[key], key
