"""Readers of images: single files, folders, archives, shards and packs."""

import io
import json
import shutil
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow
from hypothesis import strategies as st
from PIL import Image
from pyarrow import parquet as pyarrow_parquet

from alignsec import limits
from alignsec.errors import ConfigErrors
from alignsec.images import pack as image_pack
from alignsec.images.pack import Candidate, PackError
from alignsec.models.images import ImageError, ImageTransform
from alignsec.spec.preprocessing import Preprocessing
from alignsec.study.images import StudyImages
from benchmarks.fuzz.containers import edit_tar_headers, edit_tar_members
from benchmarks.fuzz.reader import Reader
from submit.images import image_set, parquet, webdataset

FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "TIFF", "PPM", "GIF")
NAMES = (
    "n01440764/a.JPEG", "n01440764/b.png", "n01443537/c.jpg", "0/a.png", "1/b.png", "10/c.png",
    "val/0/a.png", "a.png",
    ".hidden/a.png", "@eaDir/a.png", "0/.a.png", "0/sub/a.png", "n01440764_tench/a.png", "0/a.txt",
    "x/a.PNG", "0/",
    "01/a.png", "-1/a.png", "1.0/a.png", "1000001/a.png", "0/\u202e.png", "0/a\n.png", "n99999999/a.png",
    "cat/a.png",
    "0/link>../1/b.png", "0/link.png>a.png", "0/out.png>/etc/passwd", "0/loop>../0", "0/gone.png>nothing",
)  # fmt: skip
"""Paths of a folder of images; `>` makes a link."""
FOLDERS = st.lists(
    st.sampled_from(NAMES) | st.text(min_size=1, max_size=8).map(lambda t: f"{t}/a.png"), max_size=8
)


def _encode(kind: str, size: tuple[int, int] = (9, 7)) -> bytes:
    out = io.BytesIO()
    pixels = bytes(at * 37 % 256 for at in range(3 * size[0] * size[1]))
    Image.frombytes("RGB", size, pixels).save(out, kind)
    return out.getvalue()


def _image_corpus(_: Path) -> Sequence[bytes]:
    return [_encode(kind) for kind in FORMATS]


def _write_pack(path: Path) -> None:
    """Decode an image as a submission does, and pack it."""
    packs = path.parent / "packs"
    try:
        image_pack.write_pack([Candidate("a", 0, path)], packs)
    finally:
        shutil.rmtree(packs, ignore_errors=True)


_TRANSFORM = ImageTransform(
    Preprocessing(
        input_size=(3, 8, 8),
        mean=(0.5,) * 3,
        std=(0.5,) * 3,
        interpolation="bicubic",
        crop_pct=0.9,  # type: ignore[arg-type] # pydantic converts it
    )
)


def _tar(members: Sequence[tuple[str, bytes]]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def _read_all(images: Sequence[Candidate]) -> None:
    """Read the bytes of each image, as packing does."""
    for image in images:
        image.read()


def _read_folder(path: Path) -> None:
    """Make a folder from the paths in a JSON list, and label its images."""
    root = path.parent / "images"
    shutil.rmtree(root, ignore_errors=True)
    try:
        names = json.loads(path.read_bytes())
    except ValueError:
        return
    for name in names if isinstance(names, list) else []:
        _make_entry(root, str(name))
    root.mkdir(exist_ok=True)
    _read_all(image_set.read_source(StudyImages.model_construct(folder=root)).images)


def _make_entry(root: Path, name: str) -> None:
    """Make one file, folder or link below a folder; names that no file system has are left out."""
    relative, _, target = name.partition(">")
    entry = (root / relative.lstrip("/")).absolute()
    if ".." in entry.parts:
        return
    try:
        if relative.endswith("/"):
            entry.mkdir(parents=True, exist_ok=True)
            return
        entry.parent.mkdir(parents=True, exist_ok=True)
        if target:
            entry.symlink_to(target)
        else:
            entry.write_bytes(b"image")
    except (OSError, ValueError):
        return


def _read_archive(path: Path) -> None:
    _read_all(image_set.read_source(StudyImages.model_construct(archive=path)).images)


def _parquet(labels: Sequence[int | None], images: Sequence[bytes | None], *, statistics: bool = True) -> bytes:
    rows = [None if data is None else {"bytes": data, "path": f"{at}.png"} for at, data in enumerate(images)]
    kind = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
    table = pyarrow.table({"image": pyarrow.array(rows, kind), "label": pyarrow.array(labels, pyarrow.int64())})
    out = io.BytesIO()
    pyarrow_parquet.write_table(table, out, row_group_size=2, write_statistics=statistics)
    return out.getvalue()


def _parquet_corpus(_: Path) -> Sequence[bytes]:
    picture = _encode("PNG")
    return [
        _parquet([0, 1, 2], [picture] * 3),
        _parquet([0, 1], [picture, None], statistics=False),
        _parquet([0, -1], [picture] * 2),
    ]


def _read_parquet(path: Path) -> None:
    spool = path.with_name("spool")
    _read_all(parquet.gather_rows(parquet.read_shards([path]), spool))


def _webdataset_corpus(_: Path) -> Sequence[bytes]:
    picture = _encode("JPEG")
    return [
        _tar([("a.jpg", picture), ("a.cls", b"3"), ("b.png", picture), ("b.json", b'{"label": 4}')]),
        _tar([("./x/a.jpg", picture), ("./x/a.cls.txt", b" 7\n")]),
    ]


def _archive_corpus(_: Path) -> Sequence[bytes]:
    picture = _encode("PNG")
    return [
        _tar([("n01440764/a.png", picture), ("n01443537/b.png", picture)]),
        _tar([("val/0/a.png", picture), ("val/1/b.png", picture), ("val/1/._b.png", b"")]),
    ]


def _pack_corpus(folder: Path) -> Sequence[bytes]:
    source = folder / "a.png"
    source.write_bytes(_encode("PNG"))
    pack = image_pack.write_pack(
        [Candidate("0/a.png", 0, source), Candidate("1/b.png", 1, source)], folder / "packs"
    )
    return [(folder / "packs" / pack.name).read_bytes()]


def _tar_reader(
    name: str,
    read: Callable[[Path], object],
    corpus: Callable[[Path], Sequence[bytes]],
    allowed: type[BaseException] = ConfigErrors,
) -> Reader:
    edits = (edit_tar_headers, edit_tar_members)
    return Reader(name=name, read=read, corpus=corpus, allowed=(allowed,), file="images.tar", edits=edits)


READERS = (
    # A picture of the largest allowed size has 100 million pixels of up to 4 bytes, in four threads.
    Reader(name="image", read=_write_pack, corpus=_image_corpus, allowed=(ConfigErrors,),
    memory=4 * limits.GIB),
    Reader(
        name="image-job",
        read=lambda path: _TRANSFORM(Candidate("a", 0, path)),
        corpus=_image_corpus,
        allowed=(ImageError,),
        memory=4 * limits.GIB,
    ),
    Reader(
        name="image-folder",
        read=_read_folder,
        corpus=lambda _: [json.dumps(NAMES[:3]).encode(), json.dumps(NAMES).encode()],
        allowed=(ConfigErrors,),
        documents=FOLDERS.map(lambda names: json.dumps(names).encode()),
    ),
    _tar_reader("image-archive", _read_archive, _archive_corpus),
    _tar_reader("webdataset", lambda path: _read_all(webdataset.read_shards([path])), _webdataset_corpus),
    _tar_reader("pack", lambda path: _read_all(image_pack.list_members(path)), _pack_corpus, PackError),
    Reader(
        name="parquet", read=_read_parquet, corpus=_parquet_corpus, allowed=(ConfigErrors,), file="v.parquet",
        memory=9 * limits.GIB,
    ),
)  # fmt: skip
