"""Files that are either whole or absent."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def write(path: Path, data: bytes) -> None:
    """Write a file aside, force it to the disk, then rename it into place.

    A reader sees the old file or the new one; a full disk or a killed process leaves the old one as it was.
    Raises OSError, having removed what it had written, if the disk is full or the folder cannot be written.
    """
    with aside(path.parent, path.name) as written:
        written.write_bytes(data)
        keep(written, path)


@contextmanager
def aside(folder: Path, name: str) -> Iterator[Path]:
    """A new hidden file to write to, which is removed at the end unless it was kept. Raises OSError."""
    handle, path = tempfile.mkstemp(prefix=f".{name}.", dir=folder)
    os.close(handle)
    try:
        yield Path(path)
    finally:  # whatever happened, Ctrl-C too
        Path(path).unlink(missing_ok=True)


def keep(written: Path, path: Path) -> None:
    """Force a file that was written aside to the disk and rename it into place. Raises OSError."""
    with written.open("rb") as file:
        os.fsync(file.fileno())
    # mkstemp makes a file that only its owner can read; results are for sharing.
    written.chmod(0o644)
    written.replace(path)
