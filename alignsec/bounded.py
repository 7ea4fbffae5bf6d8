"""Reading of small files with an upper limit, and of JSON from untrusted sources."""

import json
import os
import stat
from pathlib import Path

_PART_BYTES = 2**20


class TooLargeError(ValueError):
    """A file that is larger than its limit."""


def read_bytes(path: Path, limit: int) -> bytes:
    """Return the bytes of a file.

    Args:
        path: The file.
        limit: Its largest size in bytes, one of alignsec.limits.

    Raises:
        TooLargeError: The file is larger.
        OSError: The file cannot be read.
    """
    parts, size = [], 0
    with path.open("rb") as file:
        # In parts: `read(n)` allocates n bytes first, and the size of a device or pipe is unknown.
        while part := file.read(_PART_BYTES):
            parts.append(part)
            size += len(part)
            if size > limit:
                raise TooLargeError(f"is larger than the limit of {limit:,} bytes")
    return b"".join(parts)


class NotAFileError(ValueError):
    """A directory, link, pipe, socket or device where a file is expected."""


def read_regular(path: Path, limit: int, tail: int | None = None) -> bytes:
    """Return the bytes of a regular file; unlike `open`, neither follow a link nor wait for the writer of a pipe.

    Args:
        path: The file.
        limit: Its largest size in bytes, one of alignsec.limits.
        tail: Read only this number of bytes, at the end; the limit then does not apply.

    Raises:
        NotAFileError: The path is something else.
        TooLargeError: The file is larger.
        OSError: The file cannot be read.
    """
    kind = path.lstat().st_mode
    if not stat.S_ISREG(kind):
        raise NotAFileError(f"is {_kind_of(kind)}, not a file")
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:  # noqa: PTH123
        size = os.fstat(file.fileno()).st_size
        if tail is not None:
            file.seek(max(0, size - tail))
            return file.read(tail)
        if size > limit:
            raise TooLargeError(f"is larger than the limit of {limit:,} bytes")
        return file.read()


def _kind_of(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "a directory"
    if stat.S_ISLNK(mode):
        return "a link"
    return "a pipe" if stat.S_ISFIFO(mode) else "a device or socket"


def parse_json(data: bytes | str) -> object:
    """Return the value of a JSON text.

    Raises:
        ValueError: The text is not JSON, is nested too deeply, or has an integer with too many digits.
    """
    try:
        value: object = json.loads(data)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return value
