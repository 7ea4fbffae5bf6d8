"""Patience: how long a server is left alone before it is asked again, and when nobody asks it any more."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

T = TypeVar("T")


class Failed(Exception):
    """A file cannot be had, and asking again would not help."""


class Later(Exception):
    """A server did not answer, or not to the end; it may if it is asked again."""

    def __init__(self, why: str, after: float | None = None, *, unreachable: bool = False) -> None:
        super().__init__(why)
        self.after = after
        """Seconds the server asked to be left alone; None where it did not say."""
        self.unreachable = unreachable
        """There was no connection at all, so the server's other files cannot be had either."""


@dataclass
class Patience:
    """Waits between the tries of all threads together, host by host."""

    tries: int = 6
    """In a row without a single new byte."""
    first: float = 1.0
    """Seconds after the first failure; twice as long after each further one."""
    longest: float = 60.0
    """Seconds, of those waits; a server may ask for more."""
    longest_asked: float = 1800.0
    """Seconds; a server that wants to be left alone for longer than this is given up."""
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] | None = None
    """What waits; None: until the time is over or `stop` is called."""
    said: Callable[[str], None] = lambda line: None
    """Told, in a line, of every wait."""
    _until: dict[str, float] = field(default_factory=dict)
    _unreachable: dict[str, str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stopping: threading.Event = field(default_factory=threading.Event)

    def stop(self) -> None:
        """End every wait: all who are patient raise Failed."""
        self._stopping.set()

    def check(self) -> None:
        """Raises Failed after `stop`; for work that goes on for long without a wait."""
        if self._stopping.is_set():
            raise Failed("interrupted; the same command goes on from there")

    def insist(self, host: str, attempt: Callable[[], T], progress: Callable[[], int] = lambda: 0) -> T:
        """The result of an attempt, made again while it raises Later.

        progress: bytes that attempts have brought so far; after new ones the count of tries begins anew.
        Raises Failed with the last reason.
        """
        in_vain, before = 0, progress()
        while True:
            self._wait(host)
            try:
                return attempt()
            except Later as later:
                in_vain = 1 if progress() > before else in_vain + 1
                before = progress()
                self._give_up_or_postpone(host, later, in_vain)

    def _give_up_or_postpone(self, host: str, later: Later, in_vain: int) -> None:
        if later.after is not None and later.after > self.longest_asked:
            raise Failed(f"{later}, and {host} asks to be left alone for {later.after:.0f} s; try again then")
        if in_vain >= self.tries:
            reason = f"{host}: {later} ({in_vain} times in a row)"
            if later.unreachable:
                self._unreachable[host] = reason
            raise Failed(reason) from later
        seconds = min(self.longest, self.first * 2 ** (in_vain - 1)) if later.after is None else later.after
        self.said(f"{host}: {later}; asked again in {seconds:.0f} s")
        with self._lock:
            self._until[host] = max(self._until.get(host, 0.0), self.clock() + seconds)

    def _wait(self, host: str) -> None:
        while (seconds := self._until.get(host, 0.0) - self.clock()) > 0:
            self.check()
            (self.sleep or self._stopping.wait)(seconds)
        self.check()
        if reason := self._unreachable.get(host):
            raise Failed(reason)
