"""The model hub's cache, laid out by the hub's library and read without it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from huggingface_hub import file_download

from alignsec.catalogue import hub_cache

REPOSITORY = "timm/resnet18.a1_in1k"
VARIABLES = ("HF_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME", "HUGGINGFACE_HUB_CACHE")


def write_download(cache: Path, name: str, data: bytes, revision: str = "a" * 40) -> Path:
    """Write what a download leaves: blob, snapshot with a link, and branch; return the link."""
    home = cache / file_download.repo_folder_name(repo_id=REPOSITORY, repo_type="model")
    blob, pointer = home / "blobs" / ("b" * 64), home / "snapshots" / revision / name
    for folder in (blob.parent, pointer.parent, home / "refs"):
        folder.mkdir(parents=True, exist_ok=True)
    blob.write_bytes(data)
    file_download._create_symlink(str(blob), str(pointer), new_blob=False)
    (home / "refs" / "main").write_text(revision)
    return pointer


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_downloaded_weights_are_found(tmp_path: Path, name: str):
    write_download(tmp_path, name, b"weights")
    found = hub_cache.find_weights(tmp_path, REPOSITORY)
    assert found is not None
    assert (found.name, found.read_bytes()) == (name, b"weights")
    assert str(found) == file_download.try_to_load_from_cache(REPOSITORY, name, cache_dir=tmp_path)


def test_safetensors_are_preferred(tmp_path: Path):
    for name in ("pytorch_model.bin", "model.safetensors"):
        write_download(tmp_path, name, b"")
    found = hub_cache.find_weights(tmp_path, REPOSITORY)
    assert found is not None
    assert found.name == "model.safetensors"


def test_the_last_revision_is_used(tmp_path: Path):
    write_download(tmp_path, "model.safetensors", b"old", revision="1" * 40)
    new = write_download(tmp_path, "model.safetensors", b"new", revision="2" * 40)
    assert hub_cache.find_weights(tmp_path, REPOSITORY) == new


def test_missing_weights_give_none(tmp_path: Path):
    assert hub_cache.find_weights(tmp_path, REPOSITORY) is None
    assert hub_cache.find_weights(tmp_path / "nowhere", REPOSITORY) is None
    write_download(tmp_path, "config.json", b"{}")
    assert hub_cache.find_weights(tmp_path, REPOSITORY) is None


def test_a_broken_link_gives_none(tmp_path: Path):
    """A user deleted the blob."""
    write_download(tmp_path, "model.safetensors", b"x").resolve().unlink()
    assert hub_cache.find_weights(tmp_path, REPOSITORY) is None


def test_a_model_without_a_repository_has_no_weights(tmp_path: Path):
    """The weights of some timm tags are not on the hub."""
    assert hub_cache.find_weights(tmp_path, "") is None


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"HF_HUB_CACHE": "/a/hub"},
        {"HF_HOME": "/a/home"},
        {"XDG_CACHE_HOME": "/a/cache"},
        {"HF_HOME": "/a/home", "XDG_CACHE_HOME": "/a/cache", "HF_HUB_CACHE": "/a/hub"},
        {"HF_HOME": "~/home"},
        {"HF_HUB_CACHE": "$HOME/hub"},
        {"HUGGINGFACE_HUB_CACHE": "/a/old"},
    ],
    ids=str,
)
def test_the_folder_is_that_of_the_hub_library(settings: dict[str, str], monkeypatch: pytest.MonkeyPatch):
    """The library runs in a new process because it reads the environment only once."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    program = "from huggingface_hub import constants; print(constants.HF_HUB_CACHE)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert str(hub_cache.cache_folder(os.environ)) == done.stdout.strip()
