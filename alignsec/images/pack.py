"""Image packs: the images that a study attacks, in one archive whose name contains its digest."""

import csv
import io
import tarfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from alignsec import archives, atomic, digest, limits
from alignsec.errors import ConfigError, ConfigErrors
from alignsec.images import decoding
from alignsec.spec.pair import File

MANIFEST = "labels.csv"
"""Member of a pack that lists the images and their labels."""
THREADS = 4
"""Threads that decode images while a pack is written. More would overload an access point."""


class PackError(Exception):
    """A file that is not the expected pack, or not a valid one."""


@dataclass(frozen=True)
class Candidate:
    """One image of an image set, which a study may choose."""

    name: str
    """Path relative to the image set, with forward slashes."""
    label: int
    path: Path
    offset: int = 0
    """Position of the first byte in the file, which may be an archive."""
    size: int | None = None
    """Number of bytes; None for the rest of the file."""

    def read(self) -> bytes:
        """Return the encoded image.

        At most one byte more than the limit is read, so that `open_image` refuses a larger image.

        Raises:
            OSError: If the file cannot be read.
        """
        most = limits.IMAGE_BYTES + 1
        with self.path.open("rb") as file:
            file.seek(self.offset)
            return file.read(most if self.size is None else min(self.size, most))


def write_pack(
    chosen: Sequence[Candidate], folder: Path, on_image: Callable[[int], None] = lambda _: None
) -> File:
    """Write the pack of some images into a folder, unless it is there already.

    The same images and labels give the same bytes. Only a few images are in memory at a time.

    Args:
        chosen: The images in the order of the pack.
        folder: The folder for the pack. It is created, and removed again if an image is invalid.
        on_image: Called with the number of images read so far.

    Returns:
        The name and the digest of the pack.

    Raises:
        ConfigErrors: If images cannot be decoded completely or have more than 8 bits per channel. All of them are
            reported, so that no job fails on them.
    """
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return _write_archive(chosen, folder, on_image)
    except ConfigErrors:
        for path in new:
            path.rmdir()
        raise


def _write_archive(chosen: Sequence[Candidate], folder: Path, on_image: Callable[[int], None]) -> File:
    with atomic.temporary_file(folder, "images.tar") as path:
        with path.open("wb") as file, tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
            _add_member(archive, MANIFEST, _manifest(chosen))
            errors = []
            for number, (image, data) in enumerate(_read_all(chosen), start=1):
                if isinstance(data, ConfigError):
                    errors.append(data)
                else:
                    _add_member(archive, f"images/{image.name}", data)
                on_image(number)
        if errors:
            raise ConfigErrors(errors)
        sha256 = digest.sha256_of_file(path)
        pack = File(name=f"images-{sha256[:12]}.tar", sha256=sha256)
        target = folder / pack.name
        if not target.exists() or digest.sha256_of_file(target) != sha256:
            atomic.move_into_place(path, target)
    return pack


def _read_all(chosen: Sequence[Candidate]) -> Iterator[tuple[Candidate, bytes | ConfigError]]:
    """Yield each image with its bytes or its error, in order; threads decode a few images ahead."""
    with ThreadPoolExecutor(THREADS, "check") as threads:
        ahead: deque[tuple[Candidate, Future[bytes | ConfigError]]] = deque()
        for image in chosen:
            ahead.append((image, threads.submit(_read_and_decode, image)))
            if len(ahead) > 4 * THREADS:
                first, future = ahead.popleft()
                yield first, future.result()
        for first, future in ahead:
            yield first, future.result()


def _read_and_decode(image: Candidate) -> bytes | ConfigError:
    where = str(image.path) if image.size is None else f"{image.path}: {image.name}"
    try:
        data = image.read()
        with decoding.open_image(data) as picture:
            picture.load()
            mode = picture.mode
    except decoding.UNDECODABLE as error:
        remedy = f"cannot be decoded ({decoding.explain(error)}); replace the image or remove it from the set"
        return ConfigError(path=where, remedy=remedy)
    if mode.startswith(("I", "F")):
        remedy = (
            "has more than 8 bits per channel, which preprocessing cuts off; convert it to 8 bits or remove it"
        )
        return ConfigError(path=where, remedy=remedy)
    return data


def read_index(path: Path, sha256: str) -> list[Candidate]:
    """Return the images of a pack, in its order, which is also the order of all verdict strings.

    Args:
        path: The pack.
        sha256: Its expected digest. A transfer may have truncated the file.

    Raises:
        PackError: If the digest is different, or the file is not a pack.
        OSError: If the file cannot be read.
    """
    if (found := digest.sha256_of_file(path)) != sha256:
        raise PackError(f"{path.name} has digest {found[:12]}, expected {sha256[:12]}: it is truncated or changed")
    return list_members(path)


def list_members(path: Path) -> list[Candidate]:
    """Return the images of a pack without comparing its digest.

    Raises:
        PackError: If the file is not a pack.
        OSError: If the file cannot be read.
    """
    try:
        with tarfile.open(path) as archive:
            members = {member.name: member for member in archive if member.isfile()}
            manifest = archive.extractfile(members[MANIFEST])
            images = []
            for row in csv.DictReader(io.StringIO(manifest.read().decode() if manifest else "", newline="")):
                member = members[f"images/{row['file']}"]
                images.append(Candidate(row["file"], int(row["label"]), path, member.offset_data, member.size))
    except (*archives.TAR_ERRORS, csv.Error) as error:
        raise PackError(f"{path.name} is not a valid image pack: {archives.explain(error)}") from error
    return images


def _manifest(images: Sequence[Candidate]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("file", "label"))
    writer.writerows((image.name, image.label) for image in images)
    return text.getvalue().encode()


def _add_member(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    """Add a member without time and owner, so that a pack's bytes depend only on names, labels and images."""
    header = tarfile.TarInfo(name)
    header.size = len(data)
    archive.addfile(header, io.BytesIO(data))
