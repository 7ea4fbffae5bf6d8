"""A cache of file digests, so that a submission does not read unchanged gigabytes again."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from alignsec import atomic, digest
from alignsec.names import find_forbidden
from alignsec.schema import Sha256, StrictModel
from submit.cache_file import read_cache

DIGESTS_FILE = ".digests.json"
"""Name of the cache in the folder of runs."""
VERSION = 1
SETTLED_NS = 2_000_000_000
"""Age at which a file's digest may be cached. A younger file may change again within one tick of its file system's
clock, which its times would not show."""

LARGE_BYTES = 100_000_000
"""Files above this size take long enough to read that `on_read` reports them."""

_Stat = list[int]


class _CacheFile(StrictModel):
    """The content of the cache's file."""

    schema_version: Literal[1]
    files: dict[str, tuple[tuple[int, int, int, int], Sha256]]
    """Size, time of the last write, time of change, inode and digest of each file, by path."""


@dataclass
class DigestCache:
    """SHA-256 digests of files, keyed by path, size, times and inode.

    A write changes a file's change time (ctime), which no tool can set back, so its cached digest is no longer
    used. Jobs validate the digests of their inputs in any case.
    """

    path: Path | None
    """File of the cache; a missing or damaged file counts as empty, a damaged one with a warning. None keeps the
    cache in memory only."""
    on_read: Callable[[Path, int], None] = lambda path, size: None
    """Called with path and size of each file of more than LARGE_BYTES before it is read."""
    _entries: dict[str, tuple[_Stat, str]] = field(default_factory=dict)
    _changed: bool = False

    def __post_init__(self) -> None:
        if self.path is None:
            return
        content = read_cache(self.path, _CacheFile, VERSION)
        self._entries = (
            {name: (list(stat), sha256) for name, (stat, sha256) in content.files.items()} if content else {}
        )

    def sha256_of_file(self, path: Path) -> str:
        """Return a file's SHA-256, cached or computed.

        Raises:
            OSError: The file cannot be read.
        """
        real = path.resolve()
        stat = _stat(real)
        cached, sha256 = self._entries.get(str(real), ([], ""))
        if cached == stat:
            return sha256
        if stat[0] > LARGE_BYTES:
            self.on_read(path, stat[0])
        read_at = time.time_ns()
        sha256 = digest.sha256_of_file(real)
        settled = all(read_at - moment > SETTLED_NS for moment in stat[1:3])
        if settled and _stat(real) == stat:
            self._entries[str(real)] = (stat, sha256)
            self._changed = True
        return sha256

    def record(self, path: Path, sha256: str) -> None:
        """Cache the digest of a file that this process has just written and that no other process writes to.

        Raises:
            OSError: The file cannot be read.
        """
        real = path.resolve()
        self._entries[str(real)] = (_stat(real), sha256)
        self._changed = True

    def save(self) -> None:
        """Write the cache to its file, without entries of files that no longer exist.

        Raises:
            OSError: The file cannot be written.
        """
        if self.path is None or not self._changed:
            return
        # JSON has no form for names that are not valid UTF-8.
        names = [name for name in sorted(self._entries) if find_forbidden(name) == "" and Path(name).exists()]
        files = {name: self._entries[name] for name in names}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write_atomic(self.path, json.dumps({"schema_version": VERSION, "files": files}).encode())
        self._changed = False


def _stat(path: Path) -> _Stat:
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]
