"""Staged weights: located, verified, and transferred to the jobs."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from alignsec import digest
from alignsec.errors import ConfigErrors
from alignsec.run.folder import RunFolder
from submit import layout, validation
from submit.condor import dag
from submit.requests import requests
from submit.requests.measurements import Measurements
from submit.validation import ValidatedStudy
from submit.weights.manifest import Manifest, PublishedFile, StagedFile
from tests.submit.plans import site
from tests.submit.weights.file_server import safetensors

StudyFile = Callable[..., Path]
TAG = '[[models]]\nname = "tag"\nsource = "timm:resnet18.a1_in1k"\n'
ADDRESS = "hub:timm/resnet18.a1_in1k"
OSDF = "osdf:///chtc/staging/m/me/weights"


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A weights folder with one staged file."""
    folder, data = tmp_path / "weights", safetensors()
    folder.mkdir()
    sha256 = digest.sha256_of_bytes(data)
    staged = StagedFile(
        file=f"weights-{sha256[:12]}.safetensors",
        sha256=sha256,
        bytes=len(data),
        published=PublishedFile(url="https://x", name="model.safetensors", sha256=sha256, bytes=len(data)),
        fetched="now",
    )
    (folder / staged.file).write_bytes(data)
    Manifest().with_file(ADDRESS, staged).write(folder)
    return folder


@pytest.fixture
def study(study_file: StudyFile) -> Path:
    """A study of a model with its own weights and a timm tag."""
    path = study_file("own")
    path.write_text(path.read_text() + TAG)
    return path


def check(study: Path, weights: Path) -> ValidatedStudy:
    return validation.validate(study, study.parent / "hub", weights)


def refused(study: Path, weights: Path) -> str:
    with pytest.raises(ConfigErrors) as caught:
        check(study, weights)
    (error,) = caught.value.errors
    return str(error)


def test_a_pair_names_the_staged_file(study: Path, weights: Path, tmp_path: Path):
    folder = RunFolder(tmp_path / "run")
    plan = layout.write_run_folder(check(study, weights), folder)
    named = {pair.model.name: pair.model.weights for pair in plan}
    staged = Manifest.read(weights).weights[ADDRESS]
    assert named["tag"] is not None
    assert (named["tag"].name, named["tag"].sha256) == (staged.file, staged.sha256)
    assert (folder.weights / staged.file).resolve() == weights / staged.file


@pytest.mark.parametrize(
    ("url", "expected"),
    [("", "weights/"), (OSDF, f"{OSDF}/"), ("file:///staging/m/me/w/", "file:///staging/m/me/w/")],
)
def test_jobs_transfer_staged_files_from_the_sites_url(
    study: Path, weights: Path, checkout: Path, tmp_path: Path, url: str, expected: str
):
    """Only staged files have this URL. A study's own file is transferred from this machine."""
    folder = RunFolder(tmp_path / "run")
    plan = layout.write_run_folder(check(study, weights), folder)
    made = site(SITE="chtc", WEIGHTS_URL=url, REQUIREMENTS="(HasCHTCStaging == true)")
    asked = requests.request_resources(plan, folder, made, weights, Measurements([]))
    files = {pair.model.name: asked[pair.id].files for pair in plan}
    assert files["tag"] == (expected + Manifest.read(weights).weights[ADDRESS].file,)
    assert re.fullmatch(r"weights/weights-[0-9a-f]{12}\.safetensors", files["own"][0])
    text = "\n".join(dag.dag_lines(plan, made, asked, ()))
    assert f'files="{files["tag"][0]}"' in text


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("missing", "has weights in the manifest, but"),
        ("truncated", "has weights that changed"),
        ("changed", "has weights that changed"),
    ],
)
def test_a_staged_file_that_differs_from_the_manifest_is_refused(
    study: Path, weights: Path, damage: str, message: str
):
    file = weights / Manifest.read(weights).weights[ADDRESS].file
    data = file.read_bytes()
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(data[:-1] if damage == "truncated" else data[:-1] + b"?")
    text = refused(study, weights)
    assert message in text
    assert f"run make weights STUDY={study}" in text


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"<html>Not found</html>", "is a web page"),
        (b"", "is empty"),
        (safetensors()[:-5], "truncated"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
    ],
)
def test_a_studys_own_file_that_is_not_weights_is_refused(study: Path, weights: Path, data: bytes, message: str):
    own = study.parent / "own.safetensors"
    own.write_bytes(data)
    text = refused(study, weights)
    assert f"has weights = {own}, which" in text
    assert message in text


def test_a_manifest_of_another_version_is_refused(study: Path, weights: Path):
    (weights / "manifest.json").write_text('{"schema_version": 9}')
    assert "manifest.json: has version 9" in refused(study, weights)
