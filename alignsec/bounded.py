"""Reading of small files with an upper limit, and of JSON from untrusted sources."""

import json
from pathlib import Path


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
    with path.open("rb") as file:
        data = file.read(limit + 1)  # not its size: that of a device or pipe is 0
    if len(data) > limit:
        raise TooLargeError(f"is larger than the limit of {limit:,} bytes")
    return data


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
