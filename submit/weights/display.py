"""What a person sees while weights are fetched: a bar for each file on a terminal, plain lines in a log."""

import threading
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from submit.weights.staging import Fetched

PLAIN_EVERY_SECONDS = 10.0


class Display:
    """Files and bytes on their way. Told from several threads."""

    def __init__(self, console: Console, count: int) -> None:
        self._console, self._count = console, count
        self._bytes: dict[str, tuple[int, int | None]] = {}
        self._ended = 0
        self._told = time.monotonic()
        self._tasks: dict[str, TaskID] = {}
        self._lock = threading.Lock()
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._bar.stop()

    def said(self, line: str) -> None:
        """Something worth a line, such as a wait."""
        self._console.print(line, markup=False, highlight=False)

    def at(self, address: str, done: int, total: int | None) -> None:
        """A file is this far, in bytes; total is None where the server does not say."""
        with self._lock:
            self._bytes[address] = (done, total)
            if address not in self._tasks:
                self._tasks[address] = self._bar.add_task(address, total=total)
            self._bar.update(self._tasks[address], completed=done, total=total)
            now = time.monotonic()
            if self._console.is_terminal or now - self._told < PLAIN_EVERY_SECONDS:
                return
            self._told = now
        self.said(f"{self._files()}, {megabytes(sum(here for here, _ in self._bytes.values()))} so far")

    def ended(self, fetched: Fetched) -> None:
        """A file is there, or cannot be had."""
        self._ended += 1
        with self._lock:
            if fetched.address in self._tasks:
                self._bar.remove_task(self._tasks.pop(fetched.address))
        if staged := fetched.staged:
            how = ", rewritten as safetensors" if staged.rewritten else ""
            self.said(f"{self._files()}: {fetched.address}: {staged.file}, {megabytes(staged.bytes)}{how}")
        else:
            self.said(f"{self._files()}: {fetched.address}: failed: {fetched.why}")

    def _files(self) -> str:
        return f"{self._ended}/{self._count} files"


def megabytes(count: int) -> str:
    """Bytes as a person reads them: millions, with one decimal below a hundred."""
    return f"{count / 1e6:.1f} MB" if count < 100e6 else f"{count / 1e6:,.0f} MB"
