"""The command `make images`, and `make submit` after it."""

import io
import re
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from alignsec import display
from alignsec.errors import ConfigErrors
from alignsec.images import pack as image_pack
from alignsec.run.folder import RunFolder
from alignsec.study.study import Study
from submit import code, layout, validation
from submit.digest_cache import DigestCache
from submit.images.__main__ import pack
from submit.images.store import PackStore
from submit.site import Site
from tests import tiny
from tests.paths import CHECKOUT

StudyFile = Callable[..., Path]


def packing(checkout: Path, study: Path, env: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "submit.images", str(study), "--env", str(env)]
    return subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False, timeout=120)


def test_the_second_call_finds_the_pack(
    checkout: Path, tmp_path: Path, study_file: StudyFile, env_file: Callable[..., Path]
):
    env = env_file(runs=str(tmp_path / "runs"))
    study = study_file("a", images="stratified = true")
    done = packing(checkout, study, env)
    assert done.returncode == 0, done.stderr
    assert "4 of 6 images, 3 classes" in done.stdout
    (pack,) = (tmp_path / "packs").glob("images-*.tar")
    before = pack.stat().st_mtime_ns
    assert packing(checkout, study, env).returncode == 0
    assert pack.stat().st_mtime_ns == before
    # make submit creates a link and decodes nothing.
    checked = validation.validate(study, tmp_path / "hub")
    folder = RunFolder(tmp_path / "runs" / "tiny")
    plan = layout.write_run_folder(checked, folder, PackStore(tmp_path / "packs", DigestCache(None)))
    assert (folder.images / plan.images.name).resolve() == pack
    assert pack.stat().st_mtime_ns == before
    assert len(list(tiny.read_pack(folder.root / plan.planned[0].inputs[-1], plan.images.sha256))) == 4


def test_a_log_shows_progress(
    tmp_path: Path, study_file: StudyFile, env_file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
):
    """A log gets plain lines with the images done, the rate and the time left, not only the result."""
    monkeypatch.setattr(display, "PLAIN_EVERY_SECONDS", 0.0)
    env = env_file(runs=str(tmp_path / "runs"))
    out = io.StringIO()
    pack(study_file("a"), Site.read(env), Console(file=out, soft_wrap=True))
    lines = [line for line in out.getvalue().splitlines() if line.startswith("packing images, ")]
    assert re.fullmatch(r"packing images, 4/4 images, [0-9.,]+ images/s, 0 s left", lines[-1])


WITHOUT = """
import runpy, sys
sys.modules.update(httpx2=None, huggingface_hub=None, pyarrow=None)
sys.argv[0] = "packing"
runpy.run_module("submit.images", run_name="__main__")
"""


def test_a_folder_is_packed_without_the_staging_libraries(
    checkout: Path, tmp_path: Path, study_file: StudyFile, env_file: Callable[..., Path]
):
    """An access point has only the libraries of requirements/access-point.txt."""
    env = env_file(runs=str(tmp_path / "runs"))
    command = [sys.executable, "-c", WITHOUT, str(study_file("a")), "--env", str(env)]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "packs").glob("images-*.tar"))) == 1


def test_every_bad_image_is_reported_and_no_pack_is_left(
    checkout: Path, tmp_path: Path, study_file: StudyFile, env_file: Callable[..., Path]
):
    env = env_file(runs=str(tmp_path / "runs"))
    study = study_file("a")
    study.write_text(study.read_text().replace("count = 4\n", ""))
    for name in ("0/0.png", "2/1.png"):
        (study.parent / "images" / name).write_bytes(b"")
    done = packing(checkout, study, env)
    assert done.returncode == 2
    assert done.stderr.count("cannot be decoded") == 2
    assert not (tmp_path / "packs").exists()


IMAGES = 'name = "x"\nmodels = []\nattacks = []\n[images]\n'


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("", "names no source of images; give one of folder, archive and shards"),
        ('folder = "made"\narchive = "a.tar"', "has folder and archive; give one of"),
        ('shards = "*.parquet"', "matches no file"),
        ("shards = []", "is empty; expected at least one entry"),
        ('shards = ["a.tar"]\nlabels = "l.csv"', "has labels, but shards contain their labels; remove labels"),
        ('folder = "made"\nlist = "l.csv"\ncount = 3', "has a list together with count or stratified"),
        ('folder = "made"\nstratified = true', "is stratified, which needs a count"),
        ('folder = "a.tar"', "is a file; give a folder"),
        ('archive = "made"', "is a folder; give a file"),
    ],
)
def test_an_invalid_images_table_is_refused(tmp_path: Path, lines: str, message: str):
    (tmp_path / "made").mkdir()
    for name in ("a.tar", "l.csv"):
        (tmp_path / name).touch()
    (tmp_path / "s.toml").write_text(IMAGES + lines)
    with pytest.raises(ConfigErrors) as caught:
        Study.load(tmp_path / "s.toml")
    found = [str(error) for error in caught.value.errors if error.field.startswith("images")]
    assert len(found) == 1
    assert message in found[0]


def test_shards_and_an_archive_are_found_relative_to_the_study(tmp_path: Path, study_file: StudyFile):
    """A study can be moved together with its data. The tar is not unpacked."""
    study = study_file("a")
    with tarfile.open(study.parent / "val.tar", "w") as archive:
        archive.add(study.parent / "images", "val")
    text = study.read_text()
    study.write_text(text.replace('folder = "images"', 'archive = "val.tar"'))
    packed = layout.write_run_folder(
        validation.validate(study, tmp_path / "hub"), RunFolder(tmp_path / "one")
    ).images
    study.write_text(text)
    assert (
        packed
        == layout.write_run_folder(
            validation.validate(study, tmp_path / "hub"), RunFolder(tmp_path / "other")
        ).images
    )
    study.write_text(text.replace('folder = "images"', 'shards = "v*.tar"'))
    assert Study.load(study).images.shards == (study.parent / "val.tar",)


@pytest.mark.parametrize("mode", ["I;16", "I", "F"])
def test_images_with_more_than_8_bits_are_refused(tmp_path: Path, mode: str):
    """Pillow converts them to RGB images in which every pixel that is not black is white."""
    tiny.Image.new(mode, (8, 8), 4000).save(tmp_path / "a.tif")
    with pytest.raises(ConfigErrors, match="has more than 8 bits per channel"):
        image_pack.write_pack([image_pack.Candidate("a.tif", 0, tmp_path / "a.tif")], tmp_path / "packs")


def test_default_settings_and_folders_are_those_of_the_checkout():
    """The commands are in subfolders of `submit`, and .env is in the repository's top folder."""
    assert code.CHECKOUT == CHECKOUT
