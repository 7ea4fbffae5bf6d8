"""What timm knows of its models, as an access point without torch reads it."""

import io
from pathlib import Path

import pytest
import timm
from timm.data import resolve_data_config
from timm.models import get_pretrained_cfg

from alignsec.catalogue import timm as timm_catalogue
from alignsec.catalogue.generate import timm as timm_models
from alignsec.catalogue.timm import Entry


def test_the_file_is_what_the_installed_timm_says(checkout: Path):
    """After a change of timm's version: `make catalogue`."""
    written = io.StringIO()
    timm_models.write(written)
    assert written.getvalue() == (checkout / "alignsec" / "catalogue" / "timm_catalogue.csv").read_text(
        encoding="utf-8"
    )


def test_architectures_and_tags():
    entries = timm_catalogue.entries()
    assert entries["resnet50"] == Entry("resnet50", "", "", None, 1000)
    tag = entries["resnet50.a1_in1k"]
    assert tag.is_tag
    assert (tag.hub, tag.classes) == ("timm/resnet50.a1_in1k", 1000)
    assert set(timm.list_models()) <= set(entries)


def test_the_tags_of_an_architecture_are_its_own():
    tags = timm_catalogue.tags_of("resnet50")
    assert "resnet50.a1_in1k" in tags
    assert not [tag for tag in tags if not tag.startswith("resnet50.")]


@pytest.mark.parametrize(
    "tag", ["resnet50.a1_in1k", "vit_base_patch16_224.augreg_in21k_ft_in1k", "volo_d4_448.sail_in1k"]
)
def test_preprocessing_is_what_timm_resolves(tag: str):
    """The configuration that timm's own evaluation would take from the tag."""
    cfg = get_pretrained_cfg(tag)
    assert cfg is not None
    resolved = resolve_data_config(pretrained_cfg=cfg.to_dict())
    found = timm_catalogue.entries()[tag].preprocessing
    assert found is not None
    for key in ("input_size", "mean", "std", "interpolation", "crop_pct", "crop_mode"):
        given = found[key]
        assert (tuple(given) if isinstance(given, list) else given) == resolved[key], key
