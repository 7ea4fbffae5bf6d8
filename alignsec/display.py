"""What a person sees while something takes long: a bar on a terminal, plain lines in a log."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import Progress, ProgressColumn

PLAIN_EVERY_SECONDS = 10.0


class Display:
    """A bar that is alive inside `with`, and what lines a log gets instead of it."""

    def __init__(self, console: Console, *columns: ProgressColumn, transient: bool = False) -> None:
        self._console = console
        self._told = time.monotonic()
        self._bar = Progress(*columns, console=console, disable=not console.is_terminal, transient=transient)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._bar.stop()

    def line(self, text: str) -> None:
        """Something worth a line for good, above the bar or in the log."""
        self._console.print(text, markup=False, highlight=False)

    def _is_line_due(self) -> bool:
        """Whether a log has waited PLAIN_EVERY_SECONDS for a line; where it has, the wait begins anew."""
        now = time.monotonic()
        if self._console.is_terminal or now - self._told < PLAIN_EVERY_SECONDS:
            return False
        self._told = now
        return True


def megabytes(count: int) -> str:
    """Bytes as a person reads them: millions, with one decimal below a hundred."""
    return f"{count / 1e6:.1f} MB" if count < 100e6 else f"{count / 1e6:,.0f} MB"
