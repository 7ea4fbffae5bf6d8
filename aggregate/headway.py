"""Headway: how far an analysis is, as a bar on a terminal and as plain lines in a log."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

PLAIN_EVERY_SECONDS = 10.0
"""What takes less leaves no line in a log."""


class Headway:
    """Told what is being done, and how much of it is done; nothing is shown where there is no console."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console
        self._plain = console is not None and not console.is_terminal
        self._told = time.monotonic()
        self._what, self._total, self._done = "", 0, 0
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=console is None or self._plain,
            transient=True,
        )
        self._task = self._bar.add_task("", total=None)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._bar.stop()

    def begin(self, what: str, total: int = 1) -> None:
        """Something else is done from now on, and how many of it there are."""
        self._what, self._total, self._done = what, total, 0
        self._bar.reset(self._task, description=what, total=total)
        self._tell()

    def advance(self) -> None:
        """One more is done."""
        self._done += 1
        self._bar.update(self._task, completed=self._done)
        self._tell()

    def _tell(self) -> None:
        now = time.monotonic()
        if not self._plain or self._console is None or now - self._told < PLAIN_EVERY_SECONDS:
            return
        self._told = now
        far = f" {self._done:,}/{self._total:,}" if self._total > 1 else ""
        self._console.print(f"{self._what}{far}", markup=False, highlight=False)
