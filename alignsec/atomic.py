"""Atomic writes: a file is either complete or absent."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def write_atomic(path: Path, data: bytes) -> None:
    """Write a temporary file, force it to disk and rename it to its final name.

    A reader sees either the old file or the new one. If the disk is full or the process is killed, the old file is
    unchanged.

    Raises:
        OSError: If the disk is full or the folder is not writable. The temporary file is removed.
    """
    with temporary_file(path.parent, path.name) as temporary:
        temporary.write_bytes(data)
        move_into_place(temporary, path)


@contextmanager
def temporary_file(folder: Path, name: str) -> Iterator[Path]:
    """Create a hidden temporary file. On exit it is removed, unless `move_into_place` renamed it.

    Args:
        folder: The folder of the final file.
        name: The final file's name, part of the temporary name.

    Raises:
        OSError: If the file cannot be created.
    """
    handle, path = tempfile.mkstemp(prefix=f".{name}.", dir=folder)
    os.close(handle)
    try:
        yield Path(path)
    finally:  # also after KeyboardInterrupt
        Path(path).unlink(missing_ok=True)


def move_into_place(temporary: Path, path: Path) -> None:
    """Force a temporary file to disk and rename it to its final name.

    Raises:
        OSError: If the file cannot be written or renamed.
    """
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    # mkstemp creates a file that only its owner can read; results are shared.
    temporary.chmod(0o644)
    temporary.replace(path)
