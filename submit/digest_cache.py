"""A cache of file digests, so that a submission does not read unchanged gigabytes again."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from alignsec import atomic, digest

DIGESTS_FILE = ".digests.json"
"""Name of the cache in the folder of runs."""
VERSION = 1
SETTLED_NS = 2_000_000_000
"""Age at which a file's digest may be cached. A younger file may change again within one tick of its file system's
clock, which its times would not show."""

LARGE_BYTES = 100_000_000
"""Files above this size take long enough to read that `on_read` reports them."""

_Stat = list[int]


@dataclass
class DigestCache:
    """SHA-256 digests of files, keyed by path, size, times and inode.

    A write changes a file's change time (ctime), which no tool can set back, so its cached digest is no longer
    used. Jobs validate the digests of their inputs in any case.
    """

    path: Path | None
    """File of the cache; a damaged or missing file counts as empty. None keeps the cache in memory only."""
    on_read: Callable[[Path, int], None] = lambda path, size: None
    """Called with path and size of each file of more than LARGE_BYTES before it is read."""
    _entries: dict[str, tuple[_Stat, str]] = field(default_factory=dict)
    _changed: bool = False

    def __post_init__(self) -> None:
        if self.path is None:
            return
        try:
            content = json.loads(self.path.read_bytes())
            if content["schema_version"] == VERSION:
                self._entries = {
                    str(k): (list(map(int, stat)), str(sha)) for k, (stat, sha) in content["files"].items()
                }
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            self._entries = {}

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
        files = {key: value for key, value in sorted(self._entries.items()) if Path(key).exists()}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write_atomic(self.path, json.dumps({"schema_version": VERSION, "files": files}).encode())
        self._changed = False


def _stat(path: Path) -> _Stat:
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]
