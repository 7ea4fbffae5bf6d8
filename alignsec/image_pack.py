"""Image packs: exactly the images a study attacks, chosen by seed, in one content-addressed archive."""

import csv
import io
import tarfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from PIL import Image, UnidentifiedImageError

from alignsec import atomic, digest
from alignsec.mistake import Mistake, Mistakes
from alignsec.pair import File

SUFFIXES = frozenset({".jpeg", ".jpg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm"})
MANIFEST = "labels.csv"
LARGEST_LABEL = 1_000_000


@dataclass(frozen=True)
class LabelledImage:
    """One encoded image file and its class."""

    name: str
    """Path below the image folder, with forward slashes."""
    label: int
    data: bytes


@dataclass(frozen=True)
class Candidate:
    """One image that could be chosen."""

    name: str
    """Below its image set, with forward slashes."""
    label: int
    path: Path
    offset: int = 0
    """Where in the file the image begins: it may be a member of an archive."""
    size: int | None = None
    """How many bytes it has; up to the file's end where not known."""

    def read(self) -> bytes:
        """The encoded image. Raises OSError."""
        with self.path.open("rb") as file:
            file.seek(self.offset)
            return file.read(-1 if self.size is None else self.size)


UNDECODABLE = (OSError, SyntaxError, ValueError, OverflowError, Image.DecompressionBombError)
"""What Pillow raises at a file that is no image, or not a whole one."""


class BadPack(Exception):
    """An archive that is not the pack that was written."""


def candidates(folder: Path, labels: Path | None) -> list[Candidate]:
    """Every labelled image: the rows of a CSV with columns `file` and `label`, or one class a folder.

    Class folders are numbered in sorted order, as torchvision does; ImageNet's WordNet ids sort into its labels.
    Raises Mistakes with every bad row: files that are not there, labels that are not whole numbers, double names.
    """
    if labels is not None:
        return _from_csv(folder, labels)
    classes = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    found = [
        Candidate(path.relative_to(folder).as_posix(), label, path)
        for label, class_folder in enumerate(classes)
        for path in sorted(class_folder.rglob("*"))
        if path.suffix.lower() in SUFFIXES
    ]
    if unnamed := [one for one in found if _has_bytes(one.name)]:
        remedy = "has a name that is no text in UTF-8; rename it"
        raise Mistakes([Mistake(ascii(str(one.path)), "", "", remedy) for one in unnamed])
    if not found:
        remedy = "holds no class folders with images; give labels = FILE, a CSV with the columns file and label"
        raise Mistakes([Mistake(str(folder), "", "", remedy)])
    return found


def _has_bytes(name: str) -> bool:
    """Whether a file name is not UTF-8: Python then holds its bytes as halves of characters."""
    return any("\ud800" <= character <= "\udfff" for character in name)


def _from_csv(folder: Path, labels: Path) -> list[Candidate]:
    try:
        with labels.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise Mistakes([Mistake(str(labels), "", "", f"cannot be read as CSV: {error}")]) from None
    if not rows or not {"file", "label"} <= rows[0].keys():
        raise Mistakes([Mistake(str(labels), "", "", "needs a header with the columns file and label, and rows")])
    found, mistakes = [], []
    times = Counter(row["file"] for row in rows)
    for number, row in enumerate(rows, start=2):
        name, label = row["file"] or "", (row["label"] or "").strip()
        path = folder / name
        # Written one way only, so that one image is not listed twice and no name leads out of the folder.
        plain = PurePosixPath(name).as_posix() == name and not name.startswith("/")
        if not plain or not path.is_file() or not path.resolve().is_relative_to(folder.resolve()):
            mistakes.append(Mistake(str(labels), f"line {number}", f'"{name}"', f"is not a file in {folder}"))
        elif not (label.isascii() and label.isdigit() and len(label) < 10) or int(label) > LARGEST_LABEL:
            remedy = "is not a label; write the class as a whole number from 0"
            mistakes.append(Mistake(str(labels), f"line {number}", f'"{label}"', remedy))
        elif times[name] > 1:
            mistakes.append(Mistake(str(labels), f"line {number}", f'"{name}"', "is listed more than once"))
        else:
            found.append(Candidate(name, int(label), path))
    if mistakes:
        raise Mistakes(mistakes)
    return found


def choose(found: Sequence[Candidate], count: int | None, seed: int) -> list[Candidate]:
    """The `count` images that come first when names are shuffled by a seed; all of them for None.

    The order is that of SHA-256 of seed and name, so it is the same on every machine and whatever the order of
    `found`, and a larger count adds images to a smaller one's.
    """
    shuffled = sorted(found, key=lambda candidate: digest.of_bytes(f"{seed}\0{candidate.name}".encode()))
    return sorted(shuffled[:count], key=lambda candidate: candidate.name)


def write(chosen: Sequence[Candidate], folder: Path) -> File:
    """Write the pack of some images into a folder, named by its digest, unless it is there already.

    The same images and labels give the same bytes. Raises Mistakes naming every image that cannot be decoded
    to its last pixel: better here than in a thousand jobs.
    """
    images, mistakes = [], []
    for candidate in chosen:
        try:
            data = candidate.path.read_bytes()
            _decode_whole(data)
        except UNDECODABLE as error:
            why = "is not an image Pillow knows" if isinstance(error, UnidentifiedImageError) else str(error)
            remedy = f"cannot be decoded ({why}); replace it, or take it out of the set"
            mistakes.append(Mistake(str(candidate.path), "", "", remedy))
            continue
        images.append(LabelledImage(candidate.name, candidate.label, data))
    if mistakes:
        raise Mistakes(mistakes)
    archive = _archive(images)
    sha256 = digest.of_bytes(archive)
    pack = File(name=f"images-{sha256[:12]}.tar", sha256=sha256)
    there = folder / pack.name
    folder.mkdir(parents=True, exist_ok=True)
    if not there.exists() or digest.of_file(there) != sha256:
        atomic.write(there, archive)
    return pack


def entries(path: Path, sha256: str) -> list[Candidate]:
    """Where the images of a pack lie in it, in its order, the one of every verdict string.

    Raises BadPack unless the file's digest is the one expected; a transfer may have been cut short.
    """
    if (other := digest.of_file(path)) != sha256:
        raise BadPack(f"{path.name} has the digest {other[:12]}, not {sha256[:12]}: it was cut short or changed")
    try:
        with tarfile.open(path) as archive:
            places = {member.name: member for member in archive if member.isfile()}
            manifest = archive.extractfile(places[MANIFEST])
            found = []
            for row in csv.DictReader(io.StringIO(manifest.read().decode() if manifest else "", newline="")):
                place = places[f"images/{row['file']}"]
                found.append(Candidate(row["file"], int(row["label"]), path, place.offset_data, place.size))
    except (tarfile.TarError, KeyError, ValueError) as error:
        raise BadPack(f"{path.name} is no pack of images: {error}") from error
    return found


def read(path: Path, sha256: str) -> Iterator[LabelledImage]:
    """The images of a pack, in its order. Raises BadPack."""
    return (LabelledImage(one.name, one.label, one.read()) for one in entries(path, sha256))


def _decode_whole(data: bytes) -> None:
    with Image.open(io.BytesIO(data)) as image:
        image.load()


def _archive(images: Sequence[LabelledImage]) -> bytes:
    """A tar with no times, owners or compression: the bytes depend on names, labels and images alone."""
    manifest = io.StringIO(newline="")
    writer = csv.writer(manifest, lineterminator="\n")
    writer.writerow(("file", "label"))
    writer.writerows((image.name, image.label) for image in images)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        members = [(MANIFEST, manifest.getvalue().encode()), *((f"images/{i.name}", i.data) for i in images)]
        for name, data in members:
            header = tarfile.TarInfo(name)
            header.size = len(data)
            archive.addfile(header, io.BytesIO(data))
    return buffer.getvalue()
