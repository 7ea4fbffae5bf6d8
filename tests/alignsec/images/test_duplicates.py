"""Duplicate images by content."""

import shutil
from pathlib import Path

from alignsec.images import duplicates
from alignsec.images import pack as image_pack
from alignsec.images.pack import Candidate
from tests.tiny import write_image


def write_pack(folder: Path, *names: str) -> Path:
    chosen = [Candidate(name, label, folder / name) for label, name in enumerate(names)]
    return folder / "packs" / image_pack.write_pack(chosen, folder / "packs").name


def test_copies_are_named(tmp_path: Path):
    for seed, name in enumerate(("a.png", "b.png")):
        write_image(tmp_path / name, seed=seed)
    shutil.copy(tmp_path / "a.png", tmp_path / "c.png")
    assert duplicates.describe_duplicates(write_pack(tmp_path, "a.png", "b.png", "c.png")) == (
        "1 of 3 images is a copy of another image by content: a.png = c.png; "
        "with another label than the original: 1"
    )


def test_images_of_equal_size_are_not_copies(tmp_path: Path):
    for seed, name in enumerate(("a.bmp", "b.bmp")):
        write_image(tmp_path / name, seed=seed)
    assert (tmp_path / "a.bmp").stat().st_size == (tmp_path / "b.bmp").stat().st_size
    assert not duplicates.describe_duplicates(write_pack(tmp_path, "a.bmp", "b.bmp"))
