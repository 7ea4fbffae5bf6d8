"""The model hub's cache, laid out by the hub's own library and read without it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from huggingface_hub import file_download

from alignsec.catalogue import hub_cache

REPOSITORY = "timm/resnet18.a1_in1k"
VARIABLES = ("HF_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME", "HUGGINGFACE_HUB_CACHE")


def fetched(cache: Path, name: str, data: bytes, revision: str = "a" * 40) -> Path:
    """A cache after a download: blob, snapshot with its link, and the branch that names the snapshot."""
    home = cache / file_download.repo_folder_name(repo_id=REPOSITORY, repo_type="model")
    blob, pointer = home / "blobs" / ("b" * 64), home / "snapshots" / revision / name
    for folder in (blob.parent, pointer.parent, home / "refs"):
        folder.mkdir(parents=True, exist_ok=True)
    blob.write_bytes(data)
    file_download._create_symlink(str(blob), str(pointer), new_blob=False)
    (home / "refs" / "main").write_text(revision)
    return pointer


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_what_was_fetched_is_found(tmp_path: Path, name: str):
    fetched(tmp_path, name, b"weights")
    found = hub_cache.weights(tmp_path, REPOSITORY)
    assert found is not None
    assert (found.name, found.read_bytes()) == (name, b"weights")
    assert str(found) == file_download.try_to_load_from_cache(REPOSITORY, name, cache_dir=tmp_path)


def test_safetensors_come_first(tmp_path: Path):
    for name in ("pytorch_model.bin", "model.safetensors"):
        fetched(tmp_path, name, b"")
    found = hub_cache.weights(tmp_path, REPOSITORY)
    assert found is not None
    assert found.name == "model.safetensors"


def test_the_last_revision_counts(tmp_path: Path):
    fetched(tmp_path, "model.safetensors", b"old", revision="1" * 40)
    new = fetched(tmp_path, "model.safetensors", b"new", revision="2" * 40)
    assert hub_cache.weights(tmp_path, REPOSITORY) == new


def test_what_was_not_fetched_is_none(tmp_path: Path):
    assert hub_cache.weights(tmp_path, REPOSITORY) is None
    assert hub_cache.weights(tmp_path / "nowhere", REPOSITORY) is None
    fetched(tmp_path, "config.json", b"{}")
    assert hub_cache.weights(tmp_path, REPOSITORY) is None


def test_a_link_to_a_blob_that_is_gone_is_none(tmp_path: Path):
    """A cache that was tidied by hand."""
    fetched(tmp_path, "model.safetensors", b"x").resolve().unlink()
    assert hub_cache.weights(tmp_path, REPOSITORY) is None


def test_a_model_without_a_repository_has_none(tmp_path: Path):
    """Some of timm's tags lie outside the hub."""
    assert hub_cache.weights(tmp_path, "") is None


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
def test_the_folder_is_the_hubs_own(settings: dict[str, str], monkeypatch: pytest.MonkeyPatch):
    """Asked of the library itself, in a Python of its own: it reads the environment once."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    program = "from huggingface_hub import constants; print(constants.HF_HUB_CACHE)"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert str(hub_cache.folder(os.environ)) == said.stdout.strip()
