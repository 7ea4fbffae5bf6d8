"""Downloads: one file from where it is published, resumed after an interruption, checked before it counts."""

import errno
import json
import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx2

from alignsec import atomic, digest
from submit.weights import file_kind
from submit.weights.file_kind import NoCheckpoint
from submit.weights.response import network, part_range, refuse_status, strong_etag, whole_length
from submit.weights.retry import Failed, Later, Patience

TIMEOUT_SECONDS = 15.0
"""Without a single byte; then the connection counts as cut. Ctrl-C waits no longer than this either."""

Tell = Callable[[int, int | None], None]
"""Told how many bytes there are of how many; None: the server does not say."""


@dataclass(frozen=True)
class Remote:
    """A file where it is published, and what is known of it beforehand."""

    url: str
    name: str
    """Its file name there."""
    size: int | None = None
    """Bytes."""
    sha256: str = ""
    """Its SHA-256 in hexadecimal digits, or the first of them; empty where nobody tells."""
    revision: str = ""
    """The commit it is taken from, where there is one."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Sent along; a token among them goes to this host only, not to where it redirects."""

    @property
    def host(self) -> str:
        """The server."""
        return urlsplit(self.url).netloc


@dataclass
class Download:
    """One file on its way into `part`, which is kept between runs until it is whole."""

    client: httpx2.Client
    remote: Remote
    part: Path
    patience: Patience
    tell: Tell = lambda done, total: None
    _size: int | None = None

    def run(self) -> str:
        """Fetch the file to its last byte, check it, and return its SHA-256.

        Raises Failed, with `part` removed if it is not what was to be fetched; OSError if the disk fails, with
        `part` removed too, so that a full disk is not left full.
        """
        try:
            return self._fetch()
        except OSError:
            self.forget()
            raise

    def _fetch(self) -> str:
        while True:
            resumed = self._resumable() > 0
            self._size = self.remote.size
            try:
                self.patience.insist(self.remote.host, self._attempt, self._have)
                return self._check()
            except (NoCheckpoint, _Wrong) as wrong:
                self.forget()
                # Two halves of what was published at two times do not fit; the whole of the later one may.
                if not resumed:
                    raise Failed(f"{self.remote.url} {wrong}") from None

    def _attempt(self) -> None:
        have = self._resumable()
        if self._size is not None and have == self._size > 0:
            return
        headers = {**self.remote.headers, "Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={have}-"
            if validator := self._note().get("validator"):
                headers["If-Range"] = str(validator)
        with network(), self.client.stream("GET", self.remote.url, headers=headers) as response:
            self._refuse(response)
            self._take(response, have if response.status_code == 206 else 0)

    def _refuse(self, response: httpx2.Response) -> None:
        """Raises Later, Failed or _Wrong unless the response holds the file or the rest of it."""
        code = response.status_code
        if code == 416:
            self.forget()
            raise Later("has another length than before")
        refuse_status(self.remote.url, code, response.headers)
        if response.headers.get("Content-Type", "").startswith("text/html"):
            raise _Wrong("is a web page, not a checkpoint")

    def _take(self, response: httpx2.Response, have: int) -> None:
        """Write the body behind the first `have` bytes."""
        start, total = part_range(response) if have else (0, whole_length(response))
        if start != have:
            self.forget()
            raise Later("sent another part than was asked for")
        if self.remote.size is not None and total not in (None, self.remote.size):
            raise _Wrong(f"has {total} bytes, not the {self.remote.size} it is published with")
        self._size = total if self.remote.size is None else self.remote.size
        if not have:
            note = {"url": self.remote.url, "validator": strong_etag(response), "size": self._size}
            atomic.write(self._note_path, json.dumps(note).encode())
        if self._size is not None and self._size - have > (free := shutil.disk_usage(self.part.parent).free):
            why = f"{os.strerror(errno.ENOSPC)}: {self._size - have} bytes are to come, {free} are free"
            raise OSError(errno.ENOSPC, why, str(self.part.parent))
        with self.part.open("r+b" if have else "wb") as file:
            file.seek(have)
            file.truncate()
            for chunk in response.iter_bytes():
                if not have:
                    file_kind.refuse_page(chunk)
                file.write(chunk)
                have += len(chunk)
                self.tell(have, self._size)
                self.patience.check()
        if self._size is not None and have < self._size:
            raise Later(f"the connection was cut after {have} of {self._size} bytes")

    def _check(self) -> str:
        size = self._have()
        if self._size is not None and size != self._size:
            raise _Wrong(f"has {size} bytes, not the {self._size} it is published with")
        file_kind.kind(self.part)
        sha256 = digest.sha256_of_file(self.part)
        if not sha256.startswith(self.remote.sha256):
            raise _Wrong(f"has the digest {sha256[:12]}, not the {self.remote.sha256[:12]} it is published with")
        return sha256

    def _resumable(self) -> int:
        """Bytes that are there of the same file; anything else is begun anew."""
        note, have = self._note(), self._have()
        # A revision's file never changes; any other may, and is told apart by its validator.
        same = note.get("url") == self.remote.url and bool(note.get("validator") or self.remote.sha256)
        if self._size is None and isinstance(size := note.get("size"), int):
            self._size = size
        return have if same and (self._size is None or have <= self._size) else 0

    def _have(self) -> int:
        try:
            return self.part.stat().st_size
        except FileNotFoundError:
            return 0

    @property
    def _note_path(self) -> Path:
        return self.part.with_name(f"{self.part.name}.json")

    def _note(self) -> Mapping[str, object]:
        try:
            note = json.loads(self._note_path.read_bytes())
        except (FileNotFoundError, ValueError):
            return {}
        return note if isinstance(note, dict) else {}

    def forget(self) -> None:
        """Remove what has come so far."""
        for path in (self.part, self._note_path):
            with suppress(FileNotFoundError):
                path.unlink()


class _Wrong(Exception):
    """What came is not what was to come."""
