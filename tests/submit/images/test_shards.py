"""Parquet and WebDataset shards give the same images as the files on disk, without unpacking."""

import io
import json
import sys
import tarfile
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from alignsec import limits
from alignsec.errors import ConfigErrors
from alignsec.study.images import StudyImages
from submit import validation
from submit.digest_cache import DigestCache
from submit.images import image_set
from submit.images import parquet as parquet_reader
from submit.images.store import PackStore
from tests import tiny
from tests.paths import CHECKOUT, SHARED_CASES
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


def read_and_gather(shard: Path) -> None:
    """Read the labels of a parquet file, then copy all images."""
    found = read(shard)
    assert found.gather
    found.gather(found.images, shard.parent / "spool")


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


@pytest.mark.parametrize("statistics", [True, False])
@pytest.mark.parametrize("null", [None, {"bytes": None, "path": "x/b.png"}])
def test_a_null_image_is_refused_by_row(
    tmp_path: Path, images: list[bytes], null: dict[str, object] | None, statistics: bool
):
    """With statistics it is found when the labels are read; without them when the images are copied."""
    rows = [{"bytes": images[at], "path": f"{at}.png"} for at in range(2)]
    table = pa.table({"image": [*rows, null], "label": [0, 1, 2]})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=2, write_statistics=statistics)
    with pytest.raises(ConfigErrors, match=r"a\.parquet: row 0 of group 1: has no image \(null\); remove the row"):
        read_and_gather(tmp_path / "a.parquet")


@pytest.mark.parametrize(
    ("label", "message"),
    [
        (pa.array([0, 10**18]), "1000000000000000000 is not a label; expected a whole number from 0 to 1,000,000"),
        (pa.array([0, -7]), "-7 is not a label; expected a whole number"),
        (pa.array([0.0, 3.7]), "a column label of integers"),
        (pa.array([True, False]), "a column label of integers"),
        (pa.array([10**30, 1], pa.decimal128(38)), "a column label of integers"),
        (pa.array([[0], [1]]), "a column label of integers"),
    ],
)
def test_parquet_labels_that_are_not_labels_are_refused(
    tmp_path: Path, images: list[bytes], label: object, message: str
):
    with pytest.raises(ConfigErrors, match=message):
        read(parquet(tmp_path / "a.parquet", images[:2], label=label))


def test_images_of_another_type_are_refused(tmp_path: Path):
    rows = [{"bytes": "text", "path": "a.png"}, {"bytes": "text", "path": "b.png"}]
    with pytest.raises(ConfigErrors, match="must have a column image with bytes and path"):
        read(parquet(tmp_path / "a.parquet", [], image=rows, label=[0, 1]))


def test_damaged_pages_of_parquet_are_refused(tmp_path: Path, images: list[bytes]):
    """The end of the file is whole, so that opening it succeeds."""
    path = parquet(tmp_path / "a.parquet", images)
    data = path.read_bytes()
    for at in range(4, len(data) // 2, 97):
        path.write_bytes(data[:at] + bytes(40) + data[at + 40 :])
        with suppress(ConfigErrors):  # damage inside an image is found when the image is decoded
            read_and_gather(path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("path", "cannot be read as parquet .*'utf-8' codec"),
        ("column-type", "is damaged: column 0 of group 1 is BOOLEAN, not BYTE_ARRAY"),
    ],
)
def test_damaged_parquet_of_a_fuzzer_is_refused(name: str, message: str):
    """A path that is no UTF-8, and a type at which pyarrow's C++ code aborts the process."""
    with pytest.raises(ConfigErrors, match=message):
        parquet_reader.read_shards([CHECKOUT / "tests/fixtures/damaged" / f"{name}.parquet"])


def test_a_parquet_file_of_too_many_rows_is_refused(
    tmp_path: Path, images: list[bytes], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(limits, "IMAGES", 6)
    with pytest.raises(ConfigErrors, match="states 7 rows; the limit is 6"):
        read(parquet(tmp_path / "a.parquet", images))
    monkeypatch.setattr(limits, "IMAGES", 7)
    monkeypatch.setattr(limits, "ROW_GROUP_BYTES", 100)
    with pytest.raises(ConfigErrors, match="has a row group of"):
        read(parquet(tmp_path / "a.parquet", images))


def shard(path: Path, *members: tuple[str, bytes]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, content in members:
            header = tarfile.TarInfo(name)
            header.size = len(content)
            archive.addfile(header, io.BytesIO(content))
    return path


@pytest.mark.parametrize(
    "label",
    [
        "-1",
        "3.7",
        "3.0",
        "true",
        "null",
        "NaN",
        "1e3",
        str(10**30),
        "9" * 5000,
        "1000001",
        "",
        "[1]",
        "\u0663",
        "cat",
    ],
)
@pytest.mark.parametrize("suffix", ["cls", "json"])
def test_webdataset_labels_that_are_not_labels_are_refused(tmp_path: Path, label: str, suffix: str):
    text = label if suffix == "cls" else f'{{"label": {label}}}'
    path = shard(tmp_path / "a.tar", ("7.png", b"x"), (f"7.{suffix}", text.encode()))
    with pytest.raises(ConfigErrors, match=r"is not a label|is not valid JSON") as caught:
        read(path)
    assert [error.field for error in caught.value.errors] == [f"7.{suffix}"]
    assert len(str(caught.value)) < 300


def test_webdataset_labels_that_are_refused_for_other_reasons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    deep = b'{"label": ' + b"[" * 100_000
    for members, message in (
        ((("7.json", deep),), "nested too deeply"),
        ((("7.cls", b"\xff\xfe"),), "is not text in UTF-8"),
        ((("7.cls", b"1"), ("7.json", b'{"label": 2}')), r"has two labels, 1 in 7\.cls and 2 in 7\.json"),
        ((("7.cls", b"1"), ("7.cls", b"2")), r"7\.cls: is twice in the shard"),
    ):
        with pytest.raises(ConfigErrors, match=message):
            read(shard(tmp_path / "a.tar", ("7.png", b"x"), *members))
    monkeypatch.setattr(limits, "LABEL_BYTES", 100)
    with pytest.raises(ConfigErrors, match="is larger than the limit of 100 bytes for a label"):
        read(shard(tmp_path / "a.tar", ("7.png", b"x"), ("7.cls", b"1" * 101)))


def test_webdataset_labels_may_have_spaces_and_a_byte_order_mark(tmp_path: Path):
    members = (
        *(("1.png", b"x"), ("1.cls", b"\xef\xbb\xbf 007\r\n"), ("2.png", b"y"), ("2.json", b'{"label": "12"}')),
        *(("._1.png", b"x"), ("__MACOSX/._1.png", b"x"), (".ipynb_checkpoints/1.png", b"x")),
    )
    found = read(shard(tmp_path / "a.tar", *members))
    assert [(image.name, image.label) for image in found.images] == [("1.png", 7), ("2.png", 12)]


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("07b-parquet-one-null-image", r"val-0\.parquet: row \d+ of group \d+: has no image \(null\)"),
        ("32-webdataset-labels", r"v-000\.tar: \S+\.cls: has '\S+', which is not a label"),
    ],
)
def test_shards_of_real_cases_are_refused(tmp_path: Path, case: str, message: str):
    study = SHARED_CASES / case / "study.toml"
    if not study.is_file():
        pytest.skip(f"needs {study}")
    with pytest.raises(ConfigErrors, match=message):
        validation.validate(study, tmp_path)


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
    assert [error.field for error in caught.value.errors] == ["1", "2", "3.cls"]
    assert "it has png" in caught.value.errors[0].remedy
    assert "'cat', which is not a label" in caught.value.errors[2].remedy


def test_without_pyarrow_the_error_names_the_extra(
    tmp_path: Path, images: list[bytes], monkeypatch: pytest.MonkeyPatch
):
    shards = [parquet(tmp_path / "0.parquet", images[:3])]
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ConfigErrors, match=r"needs pyarrow, which is not installed; .* the staging extra"):
        read(*shards)
