"""What a person sees while weights are fetched: a bar for each file, and the files that have come."""

import threading

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from alignsec.display import Display, megabytes
from submit.weights.staging import Fetched


class WeightsDisplay(Display):
    """Files and bytes on their way. Told from several threads."""

    def __init__(self, console: Console, count: int) -> None:
        super().__init__(
            console,
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            transient=True,
        )
        self._count = count
        self._bytes: dict[str, int] = {}
        self._ended = 0
        self._tasks: dict[str, TaskID] = {}
        self._lock = threading.Lock()

    def at(self, address: str, done: int, total: int | None) -> None:
        """A file is this far, in bytes; total is None where the server does not say."""
        with self._lock:
            self._bytes[address] = done
            if address not in self._tasks:
                self._tasks[address] = self._bar.add_task(address, total=total)
            self._bar.update(self._tasks[address], completed=done, total=total)
            if not self._is_line_due():
                return
            so_far = sum(self._bytes.values())
        self.line(f"{self._files()}, {megabytes(so_far)} so far")

    def ended(self, fetched: Fetched) -> None:
        """A file is there, or cannot be had."""
        self._ended += 1
        with self._lock:
            if fetched.address in self._tasks:
                self._bar.remove_task(self._tasks.pop(fetched.address))
        if staged := fetched.staged:
            how = ", rewritten as safetensors" if staged.rewritten else ""
            self.line(f"{self._files()}: {fetched.address}: {staged.file}, {megabytes(staged.bytes)}{how}")
        else:
            self.line(f"{self._files()}: {fetched.address}: failed: {fetched.why}")

    def _files(self) -> str:
        return f"{self._ended}/{self._count} files"
