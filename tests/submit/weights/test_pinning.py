"""Digests that a study states for weights."""

from collections.abc import Callable
from pathlib import Path

import pytest

from alignsec import digest
from alignsec.errors import ConfigErrors
from alignsec.study.study import Study
from submit import validation
from submit.weights import address, pinning
from submit.weights.manifest import PublishedFile, StagedFile

StudyFile = Callable[..., Path]
RESNET = "https://download.pytorch.org/models/resnet50-0676ba61.pth"


def staged(url: str) -> StagedFile:
    published = PublishedFile(url=url, name="w.pth", sha256="a" * 64, bytes=1)
    return StagedFile(
        file="weights-bbbbbbbbbbbb.safetensors", sha256="b" * 64, bytes=1, published=published, fetched=""
    )


@pytest.mark.parametrize(
    ("where", "extent"),
    [
        (RESNET, "only by the first 8 digits of its digest"),
        ("https://a.example/w.pth", "by no digest"),
        ("https://a.example/w-20230101.pth", "by no digest"),
    ],
)
def test_a_plain_address_without_a_stated_digest_gets_a_warning(where: str, extent: str):
    """The digest to pin is that of the published file, not of the converted one."""
    warning = pinning.warn_unverified(staged(where), where, {})
    assert f"{where} is verified {extent}" in warning
    assert f'weights_sha256 = "{"a" * 64}"' in warning
    assert pinning.warn_unverified(staged(where), where, {where: "a" * 64}) == ""


@pytest.mark.parametrize("where", ["hub:timm/resnet18.a1_in1k", "brainscore:alexnet"])
def test_other_addresses_get_none(where: str):
    assert pinning.warn_unverified(staged("https://x"), where, {}) == ""


def test_two_digests_for_the_same_weights_are_refused(tmp_path: Path):
    (tmp_path / "images").mkdir()
    models = "".join(
        f'[[models]]\nname = "m{n}"\nsource = "torchvision:resnet50.IMAGENET1K_V1"\nweights_sha256 = "{n * 64}"\n'
        for n in "aab"
    ).replace('"ma"', '"first"', 1)
    path = tmp_path / "study.toml"
    text = f'name = "x"\n[images]\nfolder = "images"\n{models}[[attacks]]\nmethod = "clean"\n'
    path.write_text(text)
    study = Study.load(path)
    assert address.weights_address(study.models[0]) == RESNET
    with pytest.raises(ConfigErrors, match=r"models\[2\]\.weights_sha256: .* differs from that of another model"):
        pinning.read_digests(path, study, {RESNET: [0, 1, 2]})
    assert pinning.read_digests(path, study, {RESNET: [0, 1]}) == {RESNET: "a" * 64}


def test_own_weights_must_have_the_stated_digest(study_file: StudyFile, tmp_path: Path):
    path = study_file("a")
    text = path.read_text()
    stated = 'weights_sha256 = "{}"\nweights = "a.safetensors"'
    right = digest.sha256_of_bytes(b"weights of a")
    path.write_text(text.replace('weights = "a.safetensors"', stated.format(right)))
    assert validation.validate(path, tmp_path / "hub").weights["a"].sha256 == right
    path.write_text(text.replace('weights = "a.safetensors"', stated.format("0" * 64)))
    with pytest.raises(ConfigErrors, match=f"with the digest {right}, which is not weights_sha256"):
        validation.validate(path, tmp_path / "hub")
