"""Retries with back-off: how long to wait after a server's temporary error, and when to give up."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

T = TypeVar("T")


class DownloadError(Exception):
    """A file cannot be downloaded, and a retry would not help."""


class TemporaryError(Exception):
    """A server did not answer, or not completely; a retry may succeed."""

    def __init__(
        self,
        reason: str,
        retry_after: float | None = None,
        *,
        unreachable: bool = False,
        too_slow: bool = False,
    ) -> None:
        super().__init__(reason)
        self.too_slow = too_slow
        """True if so few bytes were received that they do not count as progress."""
        self.retry_after = retry_after
        """Seconds to wait, as the server asked; None if it did not."""
        self.unreachable = unreachable
        """True if no connection was made, so that other files of this server cannot be downloaded either."""


@dataclass
class RetryPolicy:
    """Retries with exponential back-off for each host, shared by all threads."""

    max_attempts: int = 6
    """Attempts in a row that receive no new byte."""
    max_total: int = 500
    """Attempts of one call in total. A server that sends some bytes and fails, for ever, ends here."""
    first_wait: float = 1.0
    """Seconds after the first failure. The wait doubles after each further one."""
    max_wait: float = 60.0
    """Longest back-off in seconds. A server may ask for a longer wait."""
    max_retry_after: float = 1800.0
    """Longest wait in seconds that a server may ask for; otherwise its file fails."""
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] | None = None
    """Waits for a number of seconds; None waits until the time is over or `cancel` is called."""
    on_wait: Callable[[str], None] = lambda line: None
    """Called with a line of text before every wait."""
    _until: dict[str, float] = field(default_factory=dict)
    _unreachable: dict[str, str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _cancelled: threading.Event = field(default_factory=threading.Event)

    def cancel(self) -> None:
        """End every wait; all running and later calls raise DownloadError."""
        self._cancelled.set()

    def raise_if_cancelled(self) -> None:
        """Raise DownloadError after `cancel`. Long work without waits calls this regularly."""
        if self._cancelled.is_set():
            raise DownloadError("interrupted; to continue, run the same command again")

    def call(self, host: str, attempt: Callable[[], T], progress: Callable[[], int] = lambda: 0) -> T:
        """Call a function again while it raises TemporaryError, and return its result.

        Args:
            host: The server. All calls for one host wait together.
            attempt: The function.
            progress: Returns the bytes received so far. New bytes reset the number of attempts.

        Raises:
            DownloadError: All attempts failed, with the last reason.
        """
        failures, before = 0, progress()
        for _ in range(self.max_total):
            self._wait(host)
            try:
                return attempt()
            except TemporaryError as error:
                failures = 1 if progress() > before and not error.too_slow else failures + 1
                before, last = progress(), error
                self._schedule_retry(host, error, failures)
        raise DownloadError(f"{host}: {last} ({self.max_total} attempts)")

    def _schedule_retry(self, host: str, error: TemporaryError, failures: int) -> None:
        after = error.retry_after
        if after is not None and after > self.max_retry_after:
            raise DownloadError(f"{error}; {host} asks for no request in the next {after:.0f} s; retry after that")
        if failures >= self.max_attempts:
            reason = f"{host}: {error} ({failures} times in a row)"
            if error.unreachable:
                self._unreachable[host] = reason
            raise DownloadError(reason) from error
        seconds = min(self.max_wait, self.first_wait * 2 ** (failures - 1)) if after is None else after
        self.on_wait(f"{host}: {error}; retrying in {seconds:.0f} s")
        with self._lock:
            self._until[host] = max(self._until.get(host, 0.0), self.clock() + seconds)

    def _wait(self, host: str) -> None:
        while (seconds := self._until.get(host, 0.0) - self.clock()) > 0:
            self.raise_if_cancelled()
            (self.sleep or self._cancelled.wait)(seconds)
        self.raise_if_cancelled()
        if reason := self._unreachable.get(host):
            raise DownloadError(reason)
