"""Image files in a folder, or in a plain tar archive that is read like a folder."""

import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Protocol

from alignsec.errors import ConfigErrors

SUFFIXES = frozenset({".jpeg", ".jpg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm"})
"""The file name suffixes of images, in lower case."""


@dataclass(frozen=True)
class ByteRange:
    """The bytes of one image in a file."""

    path: Path
    offset: int = 0
    """Position of the first byte."""
    size: int | None = None
    """Number of bytes; None up to the end of the file."""


class ImageFiles(Protocol):
    """A folder or an archive with image files. Names are relative to it and have forward slashes."""

    @property
    def root(self) -> Path:
        """The folder or archive."""

    def folders(self) -> list[str]:
        """Return the top-level folders in sorted order, with or without images, without hidden ones."""

    def images(self) -> Iterator[tuple[str, ByteRange]]:
        """Yield every image in sorted order of names."""

    def find(self, name: str) -> ByteRange | None:
        """Return the bytes of a file, or None if there is no file of this name."""


@dataclass(frozen=True)
class Folder:
    """Image files on disk."""

    root: Path

    def folders(self) -> list[str]:
        """See ImageFiles."""
        return sorted(path.name for path in self.root.iterdir() if path.is_dir() and not path.name.startswith("."))

    def images(self) -> Iterator[tuple[str, ByteRange]]:
        """See ImageFiles."""
        # os.walk is several times as fast as Path.rglob, which matters with 50,000 images.
        found = (
            Path(folder, name)
            for folder, _, names in os.walk(self.root, followlinks=True)
            for name in names
            if os.path.splitext(name)[1].lower() in SUFFIXES  # noqa: PTH122
        )
        for path in sorted(found):
            yield path.relative_to(self.root).as_posix(), ByteRange(path)

    def find(self, name: str) -> ByteRange | None:
        """See ImageFiles. Names outside the folder, and names with redundant parts such as `./`, are not found."""
        path = self.root / name
        plain = PurePosixPath(name).as_posix() == name and not name.startswith("/")
        inside = plain and path.is_file() and path.resolve().is_relative_to(self.root.resolve())
        return ByteRange(path) if inside else None


@dataclass(frozen=True)
class Archive:
    """Image files in a plain tar, which is not unpacked: each image is a contiguous range of bytes in it."""

    root: Path

    @cached_property
    def _members(self) -> dict[str, ByteRange]:
        """Every file by name. A single top-level folder that contains only folders is removed from the names."""
        members = {}
        for member in read_tar(self.root):
            name = PurePosixPath(member.name).as_posix().removeprefix("./")
            if member.isfile():
                members[name] = ByteRange(self.root, member.offset_data, member.size)
        tops = {name.split("/")[0] for name in members}
        if len(tops) == 1 and all(name.count("/") > 1 for name in members):
            top = f"{tops.pop()}/"
            members = {name.removeprefix(top): place for name, place in members.items()}
        return dict(sorted(members.items()))

    def folders(self) -> list[str]:
        """See ImageFiles."""
        return sorted({name.split("/")[0] for name in self._members if "/" in name and not name.startswith(".")})

    def images(self) -> Iterator[tuple[str, ByteRange]]:
        """See ImageFiles."""
        return ((n, p) for n, p in self._members.items() if PurePosixPath(n).suffix.lower() in SUFFIXES)

    def find(self, name: str) -> ByteRange | None:
        """See ImageFiles."""
        return self._members.get(name)


def read_tar(path: Path) -> Iterator[tarfile.TarInfo]:
    """Yield the members of a plain tar.

    Raises:
        ConfigErrors: The file is compressed, truncated or not a tar.
    """
    try:
        with tarfile.open(path, "r:") as archive:
            yield from archive
    except (tarfile.TarError, EOFError) as error:
        remedy = (
            f"cannot be read as a plain tar ({error}); unpack a compressed archive, download a truncated one again"
        )
        raise ConfigErrors.about(path, remedy) from None
