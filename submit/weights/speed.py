"""The least speed of a download. A server that sends a byte now and then never times out."""

from collections.abc import Callable
from dataclasses import dataclass

from submit.weights.retry import TemporaryError

SLOWEST_BYTES = 64_000
"""Bytes that a server must send in SLOW_SECONDS."""
SLOW_SECONDS = 60.0


@dataclass
class SpeedCheck:
    """Counts the bytes of one response, and raises TemporaryError if they come too slowly."""

    clock: Callable[[], float]
    _since: float | None = None
    _bytes: int = 0

    def add(self, count: int) -> None:
        """Count received bytes.

        Raises:
            TemporaryError: Fewer than SLOWEST_BYTES were received in SLOW_SECONDS.
        """
        now = self.clock()
        self._since = now if self._since is None else self._since
        self._bytes += count
        if now - self._since < SLOW_SECONDS:
            return
        if self._bytes < SLOWEST_BYTES:
            raise TemporaryError(f"too slow: {self._bytes} bytes in {now - self._since:.0f} s", too_slow=True)
        self._since, self._bytes = now, 0
