"""States of a run's outcome files, for commands that look at 100,000 of them again and again.

Each file is read once. Its state is kept in a cache file of the run folder until the file changes.
"""

import json
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Literal

from alignsec import atomic
from alignsec.run import status
from alignsec.run.folder import RunFolder
from alignsec.run.outcome_file import OutcomeFile
from alignsec.run.status import StatusName
from alignsec.schema import Sha256, StrictModel
from submit.cache_file import read_cache
from submit.digest_cache import SETTLED_NS

VERSION = 1
_FEW_CHANGES = 1000
"""Changes that are not worth writing the cache: reading as many outcomes takes less."""
_Stat = tuple[int, int, int, int]
_Entry = tuple[_Stat, StatusName, str]


class _CacheFile(StrictModel):
    """The content of the cache."""

    schema_version: Literal[1]
    code: Sha256
    """Digest of the code that read the outcomes: another version may refuse what this one accepts."""
    outcomes: dict[str, _Entry]
    """Size, times and inode of each file, the pair's state, and the reason if it is not ok; by the pair's id."""


class OutcomeStates:
    """The state of each outcome file.

    Args:
        folder: The run folder.
        code_sha256: Digest of the run's code. Outcomes that it wrote are not validated again.
    """

    def __init__(self, folder: RunFolder, code_sha256: str) -> None:
        self._folder, self._code = folder, code_sha256
        content = read_cache(folder.outcome_states, _CacheFile, VERSION)
        self._known = dict(content.outcomes) if content and content.code == code_sha256 else {}
        self._present: dict[str, _Stat] = {}
        self._changes = 0
        self.update()

    def update(self) -> None:
        """List the outcome files and their times.

        Raises:
            OSError: The folder cannot be read.
        """
        self._present = dict(self._list_files())

    def _list_files(self) -> Iterator[tuple[str, _Stat]]:
        with suppress(FileNotFoundError), os.scandir(self._folder.outcomes) as entries:
            for entry in entries:
                if entry.name.endswith(".json"):
                    with suppress(FileNotFoundError):
                        found = entry.stat(follow_symlinks=False)
                        stat = (found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)
                        yield entry.name.removesuffix(".json"), stat

    def find(self, pair_id: str) -> tuple[StatusName, str]:
        """Return a pair's state and the reason if it is not ok, from its outcome file alone."""
        stat = self._present.get(pair_id)
        if stat is None:
            return "missing", ""
        known = self._known.get(pair_id)
        if known is None or known[0] != stat:
            file = OutcomeFile(pair_id, self._folder.outcome(pair_id))
            known = self._known[pair_id] = (stat, *status.read_state(file, self._code))
            self._changes += 1
        return known[1:]

    def save(self) -> None:
        """Write the cache if much has changed. A folder that cannot be written is left as it is."""
        if self._changes <= _FEW_CHANGES:
            return
        # A file that is younger may change again within one tick of its file system's clock.
        latest = time.time_ns() - SETTLED_NS
        kept = {
            pair_id: entry
            for pair_id, entry in self._known.items()
            if pair_id in self._present and max(entry[0][1:3]) < latest
        }
        content = json.dumps({"schema_version": VERSION, "code": self._code, "outcomes": kept})
        with suppress(OSError):
            atomic.write_atomic(self._folder.outcome_states, content.encode(), durable=False)
        self._changes = 0
