"""Parquet and WebDataset shards give the same images as the files on disk, without unpacking."""

import io
import json
import sys
import tarfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from alignsec.errors import ConfigErrors
from alignsec.study.images import StudyImages
from submit.digest_cache import DigestCache
from submit.images import image_set
from submit.images.store import PackStore
from tests import tiny
from tests.tiny import write_image


@pytest.fixture
def images(tmp_path: Path) -> list[bytes]:
    """Seven encoded images."""
    for number in range(7):
        write_image(tmp_path / "made" / f"{number}.png", seed=number)
    return [(tmp_path / "made" / f"{number}.png").read_bytes() for number in range(7)]


def parquet(path: Path, images: list[bytes], first: int = 0, paths: bool = True, **changes: object) -> Path:
    """Write a parquet file as the hub's libraries do, with two rows in each row group."""
    rows = [
        {"bytes": data, "path": f"x/val_{first + at}.png" if paths else None} for at, data in enumerate(images)
    ]
    columns = {"image": rows, "label": [(first + at) % 5 for at in range(len(images))], **changes}
    table = pa.table({name: column for name, column in columns.items() if column is not None})
    pq.write_table(table, path, row_group_size=2)
    return path


def webdataset(path: Path, images: list[bytes], first: int = 0, label: str = "cls") -> Path:
    with tarfile.open(path, "w") as archive:
        for at, data in enumerate(images, start=first):
            text = json.dumps({"label": at % 5, "width": 16}) if label == "json" else str(at % 5)
            for suffix, content in (("png", data), (label, text.encode())):
                header = tarfile.TarInfo(f"./val_{at}.{suffix}")
                header.size = len(content)
                archive.addfile(header, io.BytesIO(content))
    return path


def read(*shards: Path) -> image_set.ImageSet:
    return image_set.read_source(StudyImages(shards=shards))


@pytest.mark.parametrize("kind", ["parquet", "cls", "json"])
def test_shards_give_the_same_pack_as_files(tmp_path: Path, images: list[bytes], kind: str):
    """The same names, labels and bytes give the same pack, independent of rows and shards."""
    if kind == "parquet":
        shards = [parquet(tmp_path / "0.parquet", images[:3]), parquet(tmp_path / "1.parquet", images[3:], 3)]
    else:
        shards = [
            webdataset(tmp_path / "0.tar", images[:3], 0, kind),
            webdataset(tmp_path / "1.tar", images[3:], 3, kind),
        ]
    found = read(*shards)
    wanted = [one for one in found.images if one.name != "val_4.png"]
    store = PackStore(tmp_path / "packs", DigestCache(None))
    pack = store.pack(wanted[::-1], found.gather)
    packed = list(tiny.read_pack(store.folder / pack.name, pack.sha256))
    assert [(one.name, one.label, one.data) for one in packed] == [
        (f"val_{number}.png", number % 5, images[number]) for number in (6, 5, 3, 2, 1, 0)
    ]
    assert {path.name for path in store.folder.iterdir()} == {pack.name, "choices.json"}


def test_rows_without_a_unique_name_are_named_by_position(tmp_path: Path, images: list[bytes]):
    found = read(parquet(tmp_path / "a.parquet", images[:3], paths=False))
    assert [one.name for one in found.images] == ["a/0000-000000", "a/0000-000001", "a/0001-000000"]
    both = read(parquet(tmp_path / "b.parquet", images[:1]), parquet(tmp_path / "c.parquet", images[1:3]))
    assert [one.name for one in both.images] == ["b/0000-000000", "c/0000-000000", "val_1.png"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"label": None},
            "must have a column image with bytes and path, and a column label of integers; its columns are",
        ),
        ({"image": ["a", "b"]}, "must have a column image with bytes and path"),
        ({"label": ["cat", "dog"]}, "a column label of integers"),
        ({"label": [1, -1]}, "row 1 of group 0: -1 is not a label; the test split of an image set has none"),
        ({"label": pa.array([None, 1], pa.int64())}, "row 0 of group 0: is not a label"),
    ],
)
def test_parquet_with_wrong_columns_is_refused(
    tmp_path: Path, images: list[bytes], changes: dict[str, object], message: str
):
    with pytest.raises(ConfigErrors, match=message):
        read(parquet(tmp_path / "a.parquet", images[:2], **changes))


def test_unreadable_shards_are_refused(tmp_path: Path, images: list[bytes]):
    whole, tar = parquet(tmp_path / "a.parquet", images), webdataset(tmp_path / "b.tar", images)
    cut = tmp_path / "cut.parquet"
    cut.write_bytes(whole.read_bytes()[:-100])
    page = tmp_path / "page.parquet"
    page.write_bytes(b"<!DOCTYPE html>")
    for shards, message in (
        ([cut], "cannot be read as parquet"),
        ([whole, tar], "must be parquet or tar, and all shards must have the same format"),
        ([page], "must be parquet or tar"),
        ([tar, tar], "is the name of several images, like 6 other names; is a shard listed twice"),
    ):
        with pytest.raises(ConfigErrors, match=message):
            read(*shards)


def test_samples_without_an_image_or_a_label_are_reported(tmp_path: Path):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for name, content in (("1.png", b"x"), ("2.cls", b"0"), ("3.png", b"x"), ("3.cls", b"cat")):
            header = tarfile.TarInfo(name)
            header.size = len(content)
            archive.addfile(header, io.BytesIO(content))
    with pytest.raises(ConfigErrors) as caught:
        read(tmp_path / "a.tar")
    assert [error.field for error in caught.value.errors] == ["1", "2", "3"]
    assert "it has cls, png" in caught.value.errors[2].remedy


def test_without_pyarrow_the_error_names_the_extra(
    tmp_path: Path, images: list[bytes], monkeypatch: pytest.MonkeyPatch
):
    shards = [parquet(tmp_path / "0.parquet", images[:3])]
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ConfigErrors, match=r"needs pyarrow, which is not installed; .* the staging extra"):
        read(*shards)
