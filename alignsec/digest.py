"""SHA-256 digests of bytes, files and JSON values, which make every result traceable to its inputs."""

import hashlib
import json
from pathlib import Path


def sha256_of_bytes(data: bytes) -> str:
    """Return the SHA-256 of bytes as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def sha256_of_file(path: Path) -> str:
    """Return the SHA-256 of a file, which is read in parts because a checkpoint may be larger than the memory.

    Raises:
        OSError: If the file cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def canonical(value: object) -> bytes:
    """Return the canonical JSON text of a value: sorted keys, no spaces, UTF-8.

    Raises:
        ValueError: For NaN and infinity, which JSON does not have.
        TypeError: For a value that JSON cannot represent.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def sha256_of_json(value: object) -> str:
    """Return the SHA-256 of a value's canonical JSON text, which does not depend on the order of keys."""
    return sha256_of_bytes(canonical(value))
