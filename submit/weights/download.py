"""The download of one file: resumed after an interruption, and verified at the end."""

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

from alignsec import atomic, bounded, digest, limits
from submit.weights import file_format
from submit.weights.file_format import InvalidWeightsError
from submit.weights.response import (
    content_length,
    parse_content_range,
    raise_for_status,
    strong_etag,
    translate_network_errors,
)
from submit.weights.retry import DownloadError, RetryPolicy, TemporaryError
from submit.weights.speed import SpeedCheck

TIMEOUT_SECONDS = 15.0
"""Longest time without a byte before a connection counts as lost. Ctrl-C takes no longer than this either."""

_LIMIT = f"the limit is {limits.WEIGHTS_BYTES:,} bytes"
OnBytes = Callable[[int, int | None], None]
"""Called with the bytes received and the bytes of the file; None if the server does not state them."""


@dataclass(frozen=True)
class RemoteFile:
    """A published file, and what is known about it before the download."""

    url: str
    name: str
    """The published file name."""
    size: int | None = None
    """Bytes."""
    sha256: str = ""
    """The SHA-256 in hexadecimal digits, or its first digits; empty if unknown."""
    revision: str = ""
    """The commit; empty if the file is not in a repository."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Request headers. A token among them is not sent to hosts that this one redirects to."""

    @property
    def host(self) -> str:
        """The server."""
        return urlsplit(self.url).netloc


@dataclass
class Download:
    """The download of one file into `part`, which is kept between runs until it is complete."""

    client: httpx2.Client
    remote: RemoteFile
    part: Path
    retry: RetryPolicy
    on_bytes: OnBytes = lambda done, total: None
    _size: int | None = None

    def run(self) -> str:
        """Download and verify the file.

        Returns:
            The file's SHA-256.

        Raises:
            DownloadError: The file is not available. If it is not the published one, `part` is removed.
            OSError: The disk failed. `part` is removed, so that it does not keep a full disk full.
        """
        try:
            return self._download()
        except OSError:
            self.discard()
            raise

    def discard(self) -> None:
        """Remove the bytes received so far."""
        for path in (self.part, self._note_path):
            with suppress(FileNotFoundError):
                path.unlink()

    def _download(self) -> str:
        while True:
            resumed = self._resumable_bytes() > 0
            self._size = self.remote.size
            try:
                self.retry.call(self.remote.host, self._attempt, self._received_bytes)
                return self._verify()
            except (InvalidWeightsError, _MismatchError) as error:
                self.discard()
                # The parts may be of two versions of the file; a download from the beginning may then succeed.
                if not resumed:
                    raise DownloadError(f"{self.remote.url} {error}") from None

    def _attempt(self) -> None:
        received = self._resumable_bytes()
        if self._size is not None and received == self._size > 0:
            return
        headers = {**self.remote.headers, "Accept-Encoding": "identity"}
        if received:
            headers["Range"] = f"bytes={received}-"
            if validator := self._read_note().get("validator"):
                headers["If-Range"] = str(validator)
        with (
            translate_network_errors(),
            self.client.stream("GET", self.remote.url, headers=headers) as response,
        ):
            self._check_response(response)
            self._write_body(response, received if response.status_code == 206 else 0)

    def _check_response(self, response: httpx2.Response) -> None:
        """Raise an error unless the response contains the file or the rest of it."""
        code = response.status_code
        if code == 416:
            self.discard()
            raise TemporaryError("has another length than before")
        raise_for_status(self.remote.url, code, response.headers)
        if response.headers.get("Content-Type", "").startswith("text/html"):
            raise _MismatchError("is a web page, not a weights file")

    def _write_body(self, response: httpx2.Response, received: int) -> None:
        """Write the response's body after the first `received` bytes."""
        partial = response.status_code == 206
        start, total = parse_content_range(response) if partial else (0, content_length(response))
        if start != received:
            self.discard()
            raise TemporaryError("sent another part than requested")
        if self.remote.size is not None and total not in (None, self.remote.size):
            raise _MismatchError(f"has {total} bytes, expected {self.remote.size}")
        self._size = total if self.remote.size is None else self.remote.size
        if self._size is not None and self._size > limits.WEIGHTS_BYTES:
            raise DownloadError(f"{self.remote.url} states {self._size:,} bytes; {_LIMIT}")
        if not received:
            note = {"url": self.remote.url, "validator": strong_etag(response), "size": self._size}
            atomic.write_atomic(self._note_path, json.dumps(note).encode())
        self._require_space(received)
        with self.part.open("r+b" if received else "wb") as file:
            file.seek(received)
            file.truncate()
            speed = SpeedCheck(self.retry.clock)
            for chunk in response.iter_bytes():
                if not received:
                    file_format.reject_page(chunk)
                received += len(chunk)
                self._require_end(received)
                file.write(chunk)
                self.on_bytes(received, self._size)
                self.retry.raise_if_cancelled()
                speed.add(len(chunk))
        if self._size is not None and received < self._size:
            raise TemporaryError(f"connection lost after {received} of {self._size} bytes")

    def _require_end(self, received: int) -> None:
        """Raise an error if a body is longer than stated or than the limit."""
        if self._size is not None and received > self._size:
            raise _MismatchError(f"sent more than the stated {self._size} bytes")
        if received > limits.WEIGHTS_BYTES:
            self.discard()
            raise DownloadError(f"{self.remote.url} sent more than {received:,} bytes without an end; {_LIMIT}")

    def _require_space(self, received: int) -> None:
        if self._size is None:
            return
        missing, free = self._size - received, shutil.disk_usage(self.part.parent).free
        if missing > free:
            reason = f"{os.strerror(errno.ENOSPC)}: {missing} bytes to download, {free} bytes free"
            raise OSError(errno.ENOSPC, reason, str(self.part.parent))

    def _verify(self) -> str:
        size = self._received_bytes()
        if self._size is not None and size != self._size:
            raise _MismatchError(f"has {size} bytes, expected {self._size}")
        file_format.detect_format(self.part)
        sha256 = digest.sha256_of_file(self.part)
        if not sha256.startswith(self.remote.sha256):
            raise _MismatchError(f"has digest {sha256[:12]}, expected {self.remote.sha256[:12]}")
        return sha256

    def _resumable_bytes(self) -> int:
        """Return the bytes received of the same file; 0 if the download must start from the beginning."""
        note, received = self._read_note(), self._received_bytes()
        # The file of a commit never changes. Any other may; its validator identifies the version.
        same = note.get("url") == self.remote.url and bool(note.get("validator") or self.remote.sha256)
        if self._size is None and isinstance(size := note.get("size"), int):
            self._size = size
        return received if same and (self._size is None or received <= self._size) else 0

    def _received_bytes(self) -> int:
        try:
            return self.part.stat().st_size
        except FileNotFoundError:
            return 0

    @property
    def _note_path(self) -> Path:
        """The file that records which version of which file `part` contains."""
        return self.part.with_name(f"{self.part.name}.json")

    def _read_note(self) -> Mapping[str, object]:
        try:
            note = bounded.parse_json(bounded.read_bytes(self._note_path, limits.NOTE_BYTES))
        except (FileNotFoundError, ValueError):
            return {}
        return note if isinstance(note, dict) else {}


class _MismatchError(Exception):
    """The downloaded file is not the published one."""
