"""The lock of a run folder: whoever writes to it or runs its pairs on this machine holds it."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from alignsec.mistake import Mistake, Mistakes
from alignsec.run_folder import RunFolder


@contextmanager
def held(folder: RunFolder) -> Iterator[None]:
    """Hold the folder's lock; the kernel lets go of it however this process ends.

    Raises Mistakes if another process holds it, OSError if the folder cannot be made.
    """
    folder.root.mkdir(parents=True, exist_ok=True)
    with folder.lock.open("w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            remedy = "is being written or run by another process on this machine; wait for it, or stop it"
            raise Mistakes([Mistake(str(folder.root), "", "", remedy)]) from None
        yield
