"""Locks: whoever writes to a folder, or runs its pairs on this machine, holds its lock."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alignsec.errors import ConfigErrors


@contextmanager
def held(lock: Path) -> Iterator[None]:
    """Hold a folder's lock file; the kernel lets go of it however this process ends.

    Raises Mistakes if another process holds it, OSError if the folder cannot be made.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            remedy = "is being written or run by another process on this machine; wait for it, or stop it"
            raise ConfigErrors.about(lock.parent, remedy) from None
        yield
