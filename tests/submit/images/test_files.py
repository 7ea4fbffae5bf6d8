"""Which files of a folder or an archive are images of the set."""

import gzip
import io
import os
import tarfile
from pathlib import Path

import pytest

from alignsec.errors import ConfigErrors
from submit import validation
from submit.images.files import Archive, Folder, ImageFiles
from tests.paths import SHARED_CASES
from tests.submit.images.image_files import pack_tar
from tests.tiny import write_image

SYSTEM = (
    ".ipynb_checkpoints/a-checkpoint.png",
    "@eaDir/a.png/SYNOPHOTO_THUMB_M.jpg",
    ".thumbnails/a.png",
    ".@__thumb/a.png",
    "@Recycle/a.png",
    "#recycle/a.png",
    "$RECYCLE.BIN/a.png",
    "lost+found/a.png",
    "Thumbnails/a.png",
    "._a.png",
    ".a.png",
)
"""Files of operating systems, NAS devices and editors in an image folder."""


def names(files: ImageFiles) -> list[str]:
    return [name for name, _ in files.images()]


@pytest.mark.parametrize("packed", [None, "", "val/"])
def test_files_of_systems_are_not_images(tmp_path: Path, packed: str | None):
    for folder in ("0", "1"):
        for name in ("a.png", *SYSTEM):
            write_image(tmp_path / "val" / folder / name, seed=1)
        (tmp_path / "val" / folder / "Thumbs.db").write_bytes(b"x")
    for name in ("__MACOSX/0/._a.png", ".cache/a.png", "@eaDir/a.png"):
        write_image(tmp_path / "val" / name, seed=1)
    files: ImageFiles = Folder(tmp_path / "val") if packed is None else pack_tar(tmp_path / "val", packed)
    assert names(files) == ["0/a.png", "1/a.png"]
    assert files.folders() == ["0", "1"]


def test_a_folder_of_a_mac_beside_the_top_folder_of_an_archive(tmp_path: Path):
    """The single top-level folder is then still removed from the names."""
    for name in ("val/0/a.png", "val/1/a.png", "__MACOSX/val/0/._a.png"):
        write_image(tmp_path / "all" / name, seed=1)
    assert names(pack_tar(tmp_path / "all")) == ["0/a.png", "1/a.png"]


def test_the_images_of_a_real_case(tmp_path: Path):
    study = SHARED_CASES / "05-checkpoints-and-thumbnails-in-class-folders" / "study.toml"
    if not study.is_file():
        pytest.skip(f"needs {study}")
    images = validation.validate(study, tmp_path).selection.images
    assert len(images) == 5
    assert all(image.name.endswith("/a.JPEG") for image in images)


def test_links_inside_the_folder(tmp_path: Path):
    """A link to an image counts. A link to a folder, also in a circle, adds nothing."""
    root = tmp_path / "val"
    write_image(root / "0" / "a.png", seed=1)
    (root / "1").mkdir()
    (root / "1" / "b.png").symlink_to(root / "0" / "a.png")
    (root / "1" / "zero").symlink_to(root / "0")
    (root / "0" / "loop").symlink_to(root)
    (root / "0" / "up").symlink_to(tmp_path)
    (root / "2").symlink_to(root / "0")
    assert names(Folder(root)) == ["0/a.png", "1/b.png"]
    assert Folder(root).folders() == ["0", "1"]


@pytest.mark.parametrize(
    ("link", "target", "remedy"),
    [
        ("0/more", "outside", "is a link out of the image folder"),
        ("1", "outside", "is a link out of the image folder"),
        ("0/b.png", "outside/x.png", "is a link out of the image folder"),
        ("0/b.png", "missing.png", "is a link to a missing file"),
        ("0/b.png", "val/0/b.png", "is a link to a missing file"),
        ("1", "val/.store/1", "is a link to a hidden folder"),
    ],
)
def test_links_that_would_lose_images_are_refused(tmp_path: Path, link: str, target: str, remedy: str):
    for name in ("val/0/a.png", "val/.store/1/a.png", "outside/x.png"):
        write_image(tmp_path / name, seed=1)
    (tmp_path / "val" / link).symlink_to(tmp_path / target)
    with pytest.raises(ConfigErrors, match=remedy) as caught:
        names(Folder(tmp_path / "val"))
    (error,) = caught.value.errors
    assert error.path == tmp_path / "val" / link


def test_a_link_to_another_kind_of_file_and_a_pipe_are_ignored(tmp_path: Path):
    write_image(tmp_path / "val" / "0" / "a.png", seed=1)
    (tmp_path / "readme.txt").write_text("x")
    (tmp_path / "val" / "readme.txt").symlink_to(tmp_path / "readme.txt")
    os.mkfifo(tmp_path / "val" / "0" / "pipe.png")
    assert names(Folder(tmp_path / "val")) == ["0/a.png"]


def test_many_links_are_counted(tmp_path: Path):
    write_image(tmp_path / "outside" / "x.png", seed=1)
    (tmp_path / "val").mkdir()
    for number in range(25):
        (tmp_path / "val" / f"{number}.png").symlink_to(tmp_path / "outside" / "x.png")
    with pytest.raises(ConfigErrors, match="has 15 more such errors") as caught:
        names(Folder(tmp_path / "val"))
    assert len(caught.value.errors) == 11


@pytest.mark.parametrize("name", ["../outside.png", "a\0.png", "x" * 5000, "0/loop.png"])
def test_a_name_that_is_no_file_of_the_folder_is_not_found(tmp_path: Path, name: str):
    write_image(tmp_path / "val" / "0" / "a.png", seed=1)
    write_image(tmp_path / "outside.png", seed=1)
    (tmp_path / "val" / "0" / "loop.png").symlink_to("loop.png")
    assert Folder(tmp_path / "val").find(name) is None


def add(archive: tarfile.TarFile, name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> None:
    header = tarfile.TarInfo(name)
    header.type, header.linkname = kind, link
    content = b"image" if kind == tarfile.REGTYPE else b""
    header.size = len(content)
    archive.addfile(header, io.BytesIO(content))


def test_a_hard_link_in_a_tar_is_the_file_that_it_names(tmp_path: Path):
    """tar stores the second name of a file as a link."""
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        add(archive, "0/a.png")
        add(archive, "1/b.png", tarfile.LNKTYPE, "0/a.png")
    found = dict(Archive(tmp_path / "a.tar").images())
    assert found["1/b.png"] == found["0/a.png"]


@pytest.mark.parametrize(
    ("kind", "link"), [(tarfile.SYMTYPE, "0/a.png"), (tarfile.LNKTYPE, "gone.png"), (tarfile.FIFOTYPE, "")]
)
def test_a_tar_with_links_is_refused(tmp_path: Path, kind: bytes, link: str):
    """A link leads nowhere in an archive that is not unpacked; its image would be missing without notice."""
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        add(archive, "0/a.png")
        add(archive, "1/b.png", kind, link)
    with pytest.raises(ConfigErrors, match=r"contains 1/b\.png, which is a link or not a plain file"):
        names(Archive(tmp_path / "a.tar"))


@pytest.mark.parametrize("damage", ["truncated", "compressed", "not a tar"])
def test_an_unreadable_tar_is_refused(tmp_path: Path, damage: str):
    write_image(tmp_path / "val" / "n01440764" / "a.png", seed=1, size=64)
    archive = pack_tar(tmp_path / "val").root
    data = archive.read_bytes()
    other = {"truncated": data[:3000], "compressed": gzip.compress(data), "not a tar": b"<html>" * 200}
    archive.write_bytes(other[damage])
    with pytest.raises(ConfigErrors, match="cannot be read as a plain tar"):
        names(Archive(archive))
