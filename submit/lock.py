"""Lock of a folder: held by the process that writes to it or runs its pairs on this machine."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alignsec.errors import ConfigErrors


@contextmanager
def hold(lock: Path) -> Iterator[None]:
    """Hold a folder's lock file; the kernel releases it when the process ends.

    Args:
        lock: The lock file; its folder is created.

    Raises:
        ConfigErrors: Another process holds the lock.
        OSError: The folder cannot be created.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            remedy = "is in use by another process on this machine; wait for that process, or stop it"
            raise ConfigErrors.about(lock.parent, remedy) from None
        yield
