"""The pack store packs a selection once, and again after any change."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from alignsec import digest
from alignsec.errors import ConfigErrors
from alignsec.images import pack as image_pack
from alignsec.images.pack import Candidate
from submit.digest_cache import DigestCache
from submit.images.store import PackStore
from tests import tiny
from tests.tiny import write_image


@pytest.fixture
def store(tmp_path: Path) -> PackStore:
    return PackStore(tmp_path / "packs", DigestCache(None))


@pytest.fixture
def images(tmp_path: Path) -> list[Candidate]:
    for number in range(4):
        write_image(tmp_path / f"{number}.png", seed=number)
    return [Candidate(f"{number}.png", number, tmp_path / f"{number}.png") for number in range(4)]


def test_a_known_selection_is_not_decoded_again(
    store: PackStore, images: list[Candidate], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    """A second run, or a cleared job folder, only compares the files' times."""
    pack = store.pack(images)
    monkeypatch.setattr(image_pack, "_read_and_decode", None)
    assert PackStore(tmp_path / "packs", DigestCache(None)).pack(images) == pack


@pytest.mark.parametrize(
    "change", ["label", "fewer", "another time", "damaged pack", "no pack", "damaged choices"]
)
def test_a_changed_selection_is_packed_again(store: PackStore, images: list[Candidate], change: str):
    """The new pack contains the present images."""
    pack = store.pack(images)
    there = store.folder / pack.name
    match change:
        case "label":
            images = [replace(images[0], label=4), *images[1:]]
        case "fewer":
            images = images[1:]
        case "another time":
            write_image(images[0].path, seed=77)
            os.utime(images[0].path, ns=(1, 1))
        case "damaged pack":
            there.write_bytes(there.read_bytes()[:-1000])
        case "no pack":
            there.unlink()
        case _:
            (store.folder / "choices.json").write_text("{")
    assert store.find(images) is None
    again = store.pack(images)
    found = list(tiny.read_pack(store.folder / again.name, again.sha256))
    assert [(one.label, one.data) for one in found] == [(one.label, one.read()) for one in images]
    assert store.find(images) == again
    assert (again == pack) == (change in {"damaged pack", "no pack", "damaged choices"})


def test_a_failed_selection_leaves_no_files(store: PackStore, images: list[Candidate]):
    images[2].path.write_bytes(images[2].path.read_bytes()[:50])
    with pytest.raises(ConfigErrors, match=r"2\.png: cannot be decoded"):
        store.pack(images)
    assert not store.folder.exists()


def test_progress_is_reported(store: PackStore, images: list[Candidate]):
    counts: list[int] = []
    store.pack(images, on_progress=counts.append)
    assert counts == [1, 2, 3, 4]
    store.pack(images, on_progress=counts.append)
    assert counts[4:] == [4]
    assert digest.sha256_of_file(next(store.folder.glob("*.tar"))) == store.pack(images).sha256
