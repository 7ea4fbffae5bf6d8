"""Image packs: exactly the images a study attacks, chosen by seed, in one content-addressed archive."""

import csv
import io
import tarfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from alignsec import atomic, digest
from alignsec.errors import ConfigError, ConfigErrors
from alignsec.spec.pair import File

MANIFEST = "labels.csv"
THREADS = 4
"""That decode while a pack is written; more would not be kind to an access point."""


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


def write(chosen: Sequence[Candidate], folder: Path, tell: Callable[[int], None] = lambda _: None) -> File:
    """Write the pack of some images into a folder, named by its digest, unless it is there already.

    The same images and labels give the same bytes. A few images are in memory at once. tell: is given the number
    of images that were read. Raises Mistakes naming every image that cannot be decoded to its last pixel, or that
    a model could not be shown as it is: better here than in a thousand jobs. Then no new folder is left.
    """
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return _written(chosen, folder, tell)
    except ConfigErrors:
        for path in new:
            path.rmdir()
        raise


def _written(chosen: Sequence[Candidate], folder: Path, tell: Callable[[int], None]) -> File:
    with atomic.aside(folder, "images.tar") as path:
        with path.open("wb") as file, tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
            _add(archive, MANIFEST, _manifest(chosen))
            errors = []
            for number, (image, data) in enumerate(_checked(chosen), start=1):
                if isinstance(data, ConfigError):
                    errors.append(data)
                else:
                    _add(archive, f"images/{image.name}", data)
                tell(number)
        if errors:
            raise ConfigErrors(errors)
        sha256 = digest.sha256_of_file(path)
        pack = File(name=f"images-{sha256[:12]}.tar", sha256=sha256)
        there = folder / pack.name
        if not there.exists() or digest.sha256_of_file(there) != sha256:
            atomic.keep(path, there)
    return pack


def _checked(chosen: Sequence[Candidate]) -> Iterator[tuple[Candidate, bytes | ConfigError]]:
    """Each image's bytes, or what is wrong with it, in order; threads decode a few ahead."""
    with ThreadPoolExecutor(THREADS, "check") as threads:
        ahead: deque[tuple[Candidate, Future[bytes | ConfigError]]] = deque()
        for image in chosen:
            ahead.append((image, threads.submit(_read_whole, image)))
            if len(ahead) > 4 * THREADS:
                first, future = ahead.popleft()
                yield first, future.result()
        for first, future in ahead:
            yield first, future.result()


def _read_whole(image: Candidate) -> bytes | ConfigError:
    where = str(image.path) if image.size is None else f"{image.path}: {image.name}"
    try:
        data = image.read()
        with Image.open(io.BytesIO(data)) as picture:
            picture.load()
            mode = picture.mode
    except UNDECODABLE as error:
        why = "is not an image Pillow knows" if isinstance(error, UnidentifiedImageError) else str(error)
        return ConfigError(path=where, remedy=f"cannot be decoded ({why}); replace it, or take it out of the set")
    if mode.startswith(("I", "F")):
        deep = "has more than 8 bits a pixel, of which pipelines keep a part; write it with 8, or take it out"
        return ConfigError(path=where, remedy=deep)
    return data


def entries(path: Path, sha256: str) -> list[Candidate]:
    """Where the images of a pack lie in it, in its order, the one of every verdict string.

    Raises BadPack unless the file's digest is the one expected; a transfer may have been cut short.
    """
    if (other := digest.sha256_of_file(path)) != sha256:
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


def _manifest(images: Sequence[Candidate | LabelledImage]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("file", "label"))
    writer.writerows((image.name, image.label) for image in images)
    return text.getvalue().encode()


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    """A member with no time and no owner: a pack's bytes depend on names, labels and images alone."""
    header = tarfile.TarInfo(name)
    header.size = len(data)
    archive.addfile(header, io.BytesIO(data))
