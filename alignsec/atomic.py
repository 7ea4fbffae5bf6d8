"""Files that are either whole or absent."""

import os
import tempfile
from pathlib import Path


def write(path: Path, data: bytes) -> None:
    """Write a file aside, force it to the disk, then rename it into place.

    A reader sees the old file or the new one; a full disk or a killed process leaves the old one as it was.
    Raises OSError, having removed what it had written, if the disk is full or the folder cannot be written.
    """
    handle, aside = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes a file that only its owner can read; results are for sharing.
        Path(aside).chmod(0o644)
        Path(aside).replace(path)
    except BaseException:  # not only errors: Ctrl-C is to leave nothing aside either
        Path(aside).unlink(missing_ok=True)
        raise
