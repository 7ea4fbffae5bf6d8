"""Digests remembered between submissions, so that gigabytes that did not change are not read again."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from alignsec import atomic, digest

NAME = ".digests.json"
VERSION = 1
SETTLED_NS = 2_000_000_000
"""A file younger than this when it was read may change again within the same tick of its file system's clock."""

LARGE = 100_000_000
"""Bytes, of a file that takes long enough to be told of."""

_Stat = list[int]


@dataclass
class DigestCache:
    """SHA-256 of files by their path, size, times and inode.

    A file that was written to has another time of change (which, unlike that of modification, nobody sets), so
    what is remembered of it no longer counts. Jobs check the digest of what they are given in any case.
    """

    path: Path | None
    """Where it is kept; a damaged or missing one is an empty one. None: it is not kept."""
    told: Callable[[Path, int], None] = lambda path, size: None
    """Told of each file of more than LARGE bytes, with its size, before it is read."""
    _known: dict[str, tuple[_Stat, str]] = field(default_factory=dict)
    _changed: bool = False

    def __post_init__(self) -> None:
        if self.path is None:
            return
        try:
            content = json.loads(self.path.read_bytes())
            if content["schema_version"] == VERSION:
                self._known = {
                    str(k): (list(map(int, stat)), str(sha)) for k, (stat, sha) in content["files"].items()
                }
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            self._known = {}

    def sha256_of_file(self, path: Path) -> str:
        """A file's SHA-256, remembered or computed. Raises OSError if it cannot be read."""
        real = path.resolve()
        stat = _stat(real)
        stored, sha256 = self._known.get(str(real), ([], ""))
        if stored == stat:
            return sha256
        if stat[0] > LARGE:
            self.told(path, stat[0])
        read_at = time.time_ns()
        sha256 = digest.sha256_of_file(real)
        settled = all(read_at - moment > SETTLED_NS for moment in stat[1:3])
        if settled and _stat(real) == stat:
            self._known[str(real)] = (stat, sha256)
            self._changed = True
        return sha256

    def know(self, path: Path, sha256: str) -> None:
        """Take in the digest of a file that was just written, and that nobody else writes to. Raises OSError."""
        real = path.resolve()
        self._known[str(real)] = (_stat(real), sha256)
        self._changed = True

    def keep(self) -> None:
        """Write down what was computed, without files that are gone. Raises OSError."""
        if self.path is None or not self._changed:
            return
        files = {key: value for key, value in sorted(self._known.items()) if Path(key).exists()}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write(self.path, json.dumps({"schema_version": VERSION, "files": files}).encode())
        self._changed = False


def _stat(path: Path) -> _Stat:
    found = path.stat()
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]
