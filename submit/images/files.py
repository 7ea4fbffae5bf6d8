"""Image files in a folder, or in a plain tar archive that is read like a folder."""

import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Protocol

from alignsec import archives, limits
from alignsec.errors import ConfigError, ConfigErrors

SUFFIXES = frozenset({".jpeg", ".jpg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm"})
"""The file name suffixes of images, in lower case."""
SYSTEM_PREFIXES = (".", "@", "#", "$", "__", "~")
"""First characters of files and folders of operating systems, NAS devices and editors, such as .ipynb_checkpoints,
@eaDir, #recycle, $RECYCLE.BIN, __MACOSX, and ._a.JPEG with the attributes of a.JPEG."""
SYSTEM_NAMES = frozenset({"lost+found", "system volume information", "thumbnails", "thumbs", "recycler", "cvs"})
"""Further names of such folders, in lower case."""
MOST_ERRORS = 10
"""Number of links and unreadable folders that are reported one by one."""


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
        """Return the top-level folders in sorted order, with or without images, without those of systems."""

    def images(self) -> Iterator[tuple[str, ByteRange]]:
        """Yield every image in sorted order of names, without those in files and folders of systems."""

    def find(self, name: str) -> ByteRange | None:
        """Return the bytes of a file, or None if there is no file of this name."""


def is_system_name(name: str) -> bool:
    """Return whether a file or folder is hidden, or was made by an operating system, NAS device or editor."""
    return name.startswith(SYSTEM_PREFIXES) or name.endswith("~") or name.lower() in SYSTEM_NAMES


def is_image_name(name: str) -> bool:
    """Return whether a file name has the suffix of an image."""
    return os.path.splitext(name)[1].lower() in SUFFIXES  # noqa: PTH122 - 50,000 names


@dataclass(frozen=True)
class Folder:
    """Image files on disk. Links are not followed out of the folder, and links to folders are not followed."""

    root: Path

    def folders(self) -> list[str]:
        """See ImageFiles."""
        names = (path.name for path in self.root.iterdir() if path.is_dir() and not path.is_symlink())
        return sorted(name for name in names if not is_system_name(name))

    def images(self) -> Iterator[tuple[str, ByteRange]]:
        """See ImageFiles.

        Raises:
            ConfigErrors: A link leads out of the folder or to a missing file, or a folder cannot be read. These
                images would be missing without notice.
        """
        found: list[Path] = []
        errors: list[ConfigError] = []
        todo = [self.root]
        while todo:
            folder = todo.pop()
            try:
                # scandir is several times as fast as Path.iterdir, which matters with 50,000 images.
                with os.scandir(folder) as entries:
                    for entry in entries:
                        if is_system_name(entry.name):
                            continue
                        if entry.is_symlink():
                            found += self._follow(Path(entry.path), errors)
                        elif entry.is_dir():
                            todo.append(Path(entry.path))
                        elif is_image_name(entry.name) and entry.is_file():
                            found.append(Path(entry.path))
            except OSError as error:
                errors.append(ConfigError(path=folder, remedy=f"cannot be read: {error.strerror}"))
            if len(found) > limits.IMAGES:
                raise ConfigErrors.about(self.root, f"contains more than {limits.IMAGES:,} images")
        if errors:
            more = ConfigError(path=self.root, remedy=f"has {len(errors) - MOST_ERRORS} more such errors")
            raise ConfigErrors([*errors[:MOST_ERRORS], *([more] if len(errors) > MOST_ERRORS else [])])
        for path in sorted(found):
            yield path.relative_to(self.root).as_posix(), ByteRange(path)

    def find(self, name: str) -> ByteRange | None:
        """See ImageFiles. Names outside the folder, and names with redundant parts such as `./`, are not found."""
        path = self.root / name
        plain = PurePosixPath(name).as_posix() == name and not name.startswith("/")
        try:
            inside = plain and path.is_file() and path.resolve().is_relative_to(self.root.resolve())
        except (OSError, RuntimeError, ValueError):  # name too long, links in a circle, a NUL character
            return None
        return ByteRange(path) if inside else None

    def _follow(self, link: Path, errors: list[ConfigError]) -> list[Path]:
        """Return the link if it leads to an image inside the folder; append an error if images would be lost."""
        try:
            target = link.resolve(strict=True)
        except (OSError, RuntimeError):  # RuntimeError: links in a circle
            if is_image_name(link.name):
                errors.append(ConfigError(path=link, remedy="is a link to a missing file; restore or remove it"))
            return []
        root = self.root.resolve()
        if not target.is_dir() and not is_image_name(link.name):
            return []
        parts = target.relative_to(root).parts if target.is_relative_to(root) else None
        if parts is None and not root.is_relative_to(target):
            remedy = (
                f"is a link out of the image folder, to {target}, and is not followed; copy the files into the "
                "folder, or remove the link"
            )
            errors.append(ConfigError(path=link, remedy=remedy))
        elif parts and target.is_dir() and any(is_system_name(part) for part in parts):
            remedy = f"is a link to a hidden folder, {target}, and is not followed; move the images out of it"
            errors.append(ConfigError(path=link, remedy=remedy))
        # The images of a folder inside are found there; a link to it would count them twice, or never end.
        return [link] if parts and target.is_file() else []


@dataclass(frozen=True)
class Archive:
    """Image files in a plain tar, which is not unpacked: each image is a contiguous range of bytes in it."""

    root: Path

    @cached_property
    def _members(self) -> dict[str, ByteRange]:
        """Every file by name. A single top-level folder that contains only folders is removed from the names."""
        members = self._read_members()
        tops = {name.split("/")[0] for name in members}
        if len(tops) == 1 and all(name.count("/") > 1 for name in members):
            top = f"{tops.pop()}/"
            members = {name.removeprefix(top): place for name, place in members.items()}
        return dict(sorted(members.items()))

    def _read_members(self) -> dict[str, ByteRange]:
        members: dict[str, ByteRange] = {}
        hard_links: dict[str, str] = {}
        other = ""
        for member in read_tar(self.root):
            name = _member_name(member.name)
            if any(is_system_name(part) for part in name.split("/")):
                continue
            if member.isfile() and not member.issparse():
                members[name] = ByteRange(self.root, member.offset_data, member.size)
            elif member.islnk():  # tar stores a second name of a file as a link to the first
                hard_links[name] = _member_name(member.linkname)
            elif not member.isdir():
                other = name if is_image_name(name) else other
        for name, target in hard_links.items():
            if target in members:
                members[name] = members[target]
            elif is_image_name(name):
                other = name
        if other:
            remedy = f"contains {other}, which is a link or not a plain file; pack plain files only"
            raise ConfigErrors.about(self.root, remedy)
        return members

    def folders(self) -> list[str]:
        """See ImageFiles."""
        return sorted({name.split("/")[0] for name in self._members if "/" in name})

    def images(self) -> Iterator[tuple[str, ByteRange]]:
        """See ImageFiles."""
        return ((name, place) for name, place in self._members.items() if is_image_name(name))

    def find(self, name: str) -> ByteRange | None:
        """See ImageFiles."""
        return self._members.get(name)


def _member_name(name: str) -> str:
    return PurePosixPath(name).as_posix().removeprefix("./")


def read_tar(path: Path) -> Iterator[tarfile.TarInfo]:
    """Yield the members of a plain tar.

    Raises:
        ConfigErrors: The file is compressed, truncated, damaged or not a tar, or has too many members.
    """
    try:
        with tarfile.open(path, "r:") as archive:
            for number, member in enumerate(archive):
                if number > limits.IMAGES:
                    raise ConfigErrors.about(path, f"has more than {limits.IMAGES:,} members")
                if member.size < 0:
                    raise tarfile.HeaderError("negative size")
                yield member
    except archives.TAR_ERRORS as error:
        reason = archives.explain(error)
        remedy = (
            f"cannot be read as a plain tar ({reason}); unpack a compressed one, download a truncated one again"
        )
        raise ConfigErrors.about(path, remedy) from None
