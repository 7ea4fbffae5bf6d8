"""Digests: what makes a number traceable to the exact bytes it came from."""

import hashlib
import json
from pathlib import Path


def sha256_of_bytes(data: bytes) -> str:
    """SHA-256 of some bytes, as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def sha256_of_file(path: Path) -> str:
    """SHA-256 of a file's bytes, read in pieces: a checkpoint may be larger than memory.

    Raises OSError if the file cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def canonical(value: object) -> bytes:
    """The one JSON text of a value: sorted keys, no spaces, UTF-8, no NaN.

    Raises ValueError for NaN or infinity, which JSON does not have.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def sha256_of_json(value: object) -> str:
    """SHA-256 of a JSON-able value, independent of the order its keys were written in."""
    return sha256_of_bytes(canonical(value))
