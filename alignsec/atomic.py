"""Atomic writes: a file is either complete or absent."""

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_WITHOUT_FOLDER_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EBADF, errno.EACCES, errno.EPERM}
"""Errors of file systems that cannot force a folder to disk, and of folders without read permission."""
_CREATE = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_CLOEXEC", 0)


def write_atomic(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Write a temporary file, force it to disk and rename it to its final name.

    A reader sees either the old file or the new one. If the disk is full or the process is killed, the old file is
    unchanged. After a return the new file survives a crash of the machine. The umask decides who can read it.

    Args:
        path: The final name.
        data: The content.
        durable: Whether the file must survive a crash of the machine. Forcing 100,000 files to disk takes minutes;
            those that can be written again need not be.

    Raises:
        OSError: If the disk is full or the folder is not writable. The temporary file is removed.
    """
    with temporary_file(path.parent, path.name) as temporary:
        temporary.write_bytes(data)
        if durable:
            move_into_place(temporary, path)
        else:
            temporary.replace(path)


@contextmanager
def temporary_file(folder: Path, name: str) -> Iterator[Path]:
    """Create a hidden temporary file. On exit it is removed, unless `move_into_place` renamed it.

    Args:
        folder: The folder of the final file.
        name: The final file's name, part of the temporary name.

    Raises:
        OSError: If the file cannot be created.
    """
    # Not tempfile.mkstemp: its files are readable only by their owner, whatever the umask is.
    path = folder / f".{name}.{secrets.token_hex(4)}"
    os.close(os.open(path, _CREATE, 0o666))
    try:
        yield path
    finally:  # also after KeyboardInterrupt
        path.unlink(missing_ok=True)


def move_into_place(temporary: Path, path: Path) -> None:
    """Force a temporary file to disk, rename it to its final name, and force the folder to disk.

    Raises:
        OSError: If the file cannot be written or renamed. After an error of the folder, the new file is in place,
            but a crash of the machine could undo the renaming.
    """
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    temporary.replace(path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Force a folder to disk: without this, a crash of the machine can undo a renaming in it."""
    try:
        handle = os.open(folder, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        if error.errno not in _WITHOUT_FOLDER_SYNC:
            raise
