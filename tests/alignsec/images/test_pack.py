"""Image packs: their bytes, and the images and files that are refused."""

import io
import random
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from alignsec import digest
from alignsec.errors import ConfigError, ConfigErrors
from alignsec.images import pack as image_pack
from alignsec.images.pack import Candidate, PackError
from tests import tiny
from tests.tiny import write_class_folders, write_image


def folder_images(folder: Path) -> list[Candidate]:
    """Return every image in class folders."""
    paths = sorted(folder.rglob("*.png"))
    return [Candidate(path.relative_to(folder).as_posix(), int(path.parent.name[-1]), path) for path in paths]


def write_folder_pack(folder: Path, into: Path) -> tuple[Path, str]:
    """Write the pack of every image in class folders; return its path and digest."""
    pack = image_pack.write_pack(folder_images(folder), into)
    return into / pack.name, pack.sha256


def test_a_pack_returns_the_images_that_were_written(tmp_path: Path):
    write_class_folders(tmp_path / "images")
    path, sha256 = write_folder_pack(tmp_path / "images", tmp_path / "packs")
    images = list(tiny.read_pack(path, sha256))
    assert [image.name for image in images] == [f"{c}/{n}.png" for c in range(3) for n in range(4)]
    assert [image.label for image in images] == [0] * 4 + [1] * 4 + [2] * 4
    assert all(image.data == (tmp_path / "images" / image.name).read_bytes() for image in images)


def test_the_same_images_give_the_same_bytes(tmp_path: Path):
    """File times, owners and folders do not change the digest, so the pack is transferred once."""
    packs = []
    for place in ("one", "other"):
        write_class_folders(tmp_path / place)
        packs.append(write_folder_pack(tmp_path / place, tmp_path / f"packs-{place}"))
    assert packs[0][0].read_bytes() == packs[1][0].read_bytes()
    assert packs[0][0].name == packs[1][0].name
    assert packs[0][1] == digest.sha256_of_file(packs[0][0])


def test_a_different_label_gives_a_different_pack(tmp_path: Path):
    write_image(tmp_path / "a.png", seed=1)
    one = image_pack.write_pack([Candidate("a.png", 0, tmp_path / "a.png")], tmp_path)
    other = image_pack.write_pack([Candidate("a.png", 1, tmp_path / "a.png")], tmp_path)
    assert one.sha256 != other.sha256


def test_an_existing_pack_is_not_written_again(tmp_path: Path):
    write_class_folders(tmp_path / "images")
    path, _ = write_folder_pack(tmp_path / "images", tmp_path / "packs")
    before = path.stat().st_mtime_ns
    write_folder_pack(tmp_path / "images", tmp_path / "packs")
    assert path.stat().st_mtime_ns == before


def test_a_damaged_pack_is_written_again(tmp_path: Path):
    """Its name contains a digest that it does not have, so every job would refuse it."""
    write_class_folders(tmp_path / "images")
    path, sha256 = write_folder_pack(tmp_path / "images", tmp_path / "packs")
    path.write_bytes(path.read_bytes()[:-1000])
    write_folder_pack(tmp_path / "images", tmp_path / "packs")
    assert digest.sha256_of_file(path) == sha256


def test_unusual_names_are_kept(tmp_path: Path):
    names = ["x" * 120 + ".png", "é漢.png", "a b'c\".png", "deep/" * 30 + "a.png", "-rf.png", "$(id).png"]
    for name in names:
        write_image(tmp_path / name, seed=1)
    pack = image_pack.write_pack([Candidate(name, 0, tmp_path / name) for name in names], tmp_path)
    assert [image.name for image in tiny.read_pack(tmp_path / pack.name, pack.sha256)] == names


def test_all_images_that_cannot_be_decoded_are_reported_together(tmp_path: Path):
    """They are reported before submission, not by the jobs."""
    write_image(tmp_path / "good.png", seed=1)
    write_image(tmp_path / "good.jpg", seed=1, size=64, mode="RGB")
    jpeg, png = (tmp_path / "good.jpg").read_bytes(), (tmp_path / "good.png").read_bytes()
    bad = {
        "zero.png": b"",
        "text.png": b"<!DOCTYPE html>",
        "cut.jpg": jpeg[: len(jpeg) // 2],
        "cut.png": png[: len(png) // 2],
        "changed.png": png[:60] + b"\0\0\0\0" + png[64:],
    }
    for name, data in bad.items():
        (tmp_path / name).write_bytes(data)
    packs = tmp_path / "packs"
    candidates = [Candidate(name, 0, tmp_path / name) for name in ("good.png", *bad, "gone.png", "good.jpg")]
    with pytest.raises(ConfigErrors) as caught:
        image_pack.write_pack(candidates, packs)
    assert [Path(error.path).name for error in caught.value.errors] == [*bad, "gone.png"]
    assert all("replace the image or remove it from the set" in error.remedy for error in caught.value.errors)
    assert not packs.exists()


def test_an_image_with_too_many_pixels_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Pillow refuses images with more than twice 89 million pixels; a job would run out of memory."""
    write_image(tmp_path / "a.png", seed=1, size=64)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 2000)
    with pytest.raises(
        ConfigErrors, match=r"a\.png: cannot be decoded \(Image size \(4096 pixels\) exceeds limit"
    ):
        image_pack.write_pack([Candidate("a.png", 0, tmp_path / "a.png")], tmp_path)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@given(st.sampled_from(["PNG", "JPEG", "BMP", "WEBP", "TIFF", "PPM"]), st.data())
def test_a_damaged_image_is_packed_or_reported(
    tmp_path_factory: pytest.TempPathFactory, kind: str, data: st.DataObject
):
    """No change of bytes causes another exception."""
    file = io.BytesIO()
    Image.frombytes("RGB", (8, 8), random.Random(0).randbytes(192)).save(file, kind)  # noqa: S311
    content = bytearray(file.getvalue())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    folder = tmp_path_factory.mktemp("damage")
    (folder / "a.png").write_bytes(content)
    found: tuple[ConfigError, ...] = ()
    try:
        image_pack.write_pack([Candidate("a.png", 0, folder / "a.png")], folder)
    except ConfigErrors as error:
        found = error.errors
    assert [str(error.path) for error in found] in ([], [str(folder / "a.png")])


@pytest.mark.parametrize("change", ["truncated", "changed", "empty"])
def test_a_pack_with_another_digest_is_refused(tmp_path: Path, change: str):
    write_class_folders(tmp_path / "images")
    path, sha256 = write_folder_pack(tmp_path / "images", tmp_path / "packs")
    data = path.read_bytes()
    other = {"truncated": data[:-512], "changed": data[:-1] + b"x", "empty": b""}
    path.write_bytes(other[change])
    with pytest.raises(PackError, match="truncated or changed"):
        list(tiny.read_pack(path, sha256))


@pytest.mark.parametrize(
    "members", [{}, {"labels.csv": b"file,label\na.png,0\n"}, {"labels.csv": b"file,label\na,x\n"}]
)
def test_an_archive_that_is_not_a_pack_is_refused(tmp_path: Path, members: dict[str, bytes]):
    """The digest is right, but the manifest or an image is missing."""
    path = tmp_path / "p.tar"
    with tarfile.open(path, "w") as archive:
        for name, data in members.items():
            header = tarfile.TarInfo(name)
            header.size = len(data)
            archive.addfile(header, io.BytesIO(data))
    with pytest.raises(PackError):
        list(tiny.read_pack(path, digest.sha256_of_file(path)))


def test_a_file_that_is_not_an_archive_is_refused(tmp_path: Path):
    (tmp_path / "p.tar").write_bytes(b"<!DOCTYPE html>")
    with pytest.raises(PackError):
        list(tiny.read_pack(tmp_path / "p.tar", digest.sha256_of_file(tmp_path / "p.tar")))


def test_a_missing_pack_raises_file_not_found(tmp_path: Path):
    with pytest.raises(FileNotFoundError):
        list(tiny.read_pack(tmp_path / "none.tar", "1" * 64))
