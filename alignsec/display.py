"""Progress of a long operation: bars on a terminal, plain lines in a log."""

import math
import threading
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

BYTES = "bytes"
"""The unit whose amounts are shown in megabytes."""
PLAIN_EVERY_SECONDS = 10.0
"""Shortest time between two progress lines in a log."""


@dataclass
class _Bar:
    """The progress of one item and the bar that shows it."""

    task: TaskID
    started: float
    done_before: float
    done: float
    total: float | None = None


class Display:
    """A progress display, active inside `with`.

    The work consists of consecutive steps; `begin` starts one. A step has a single bar, or one bar for each of its
    items. In a log there are no bars. Instead, one line every PLAIN_EVERY_SECONDS reports the sum over the items:
    amount done, rate and time left. Methods may be called from several threads.

    Args:
        console: where to show the progress. Without a console the display shows nothing.
        transient: remove the bars from the terminal at the end.
    """

    def __init__(self, console: Console | None = None, *, transient: bool = True) -> None:
        self._console = console
        self._is_log = console is not None and not console.is_terminal
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[amount]}", markup=False),
            TimeRemainingColumn(),
            console=console,
            disable=console is None or self._is_log,
            transient=transient,
        )
        self._lock = threading.RLock()
        self._last_line = self._started = time.monotonic()
        self._title, self._unit = "", ""
        self._total: float | None = None
        self._bars: dict[str, _Bar] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._progress.stop()

    def begin(self, title: str, total: float | None = None, *, done: float = 0, unit: str = "") -> None:
        """Start a step and remove the bars of the previous one.

        Args:
            title: what the step does.
            total: amount of the whole step; None if it is unknown.
            done: amount that was done before the step started. The rate does not count it.
            unit: noun for the amounts, such as "images", or BYTES. Without a unit only the title is shown.
        """
        with self._lock:
            for bar in self._bars.values():
                self._progress.remove_task(bar.task)
            self._bars.clear()
            self._title, self._unit, self._total = title, unit, total
            self._started = time.monotonic()
            if unit != BYTES:
                self._bar("", done)
                self.update(done)

    def update(self, done: float, total: float | None = None, *, item: str = "", title: str | None = None) -> None:
        """Set the amount done of the step, or of one of its items.

        Args:
            done: amount done so far, including what was done before the step started.
            total: amount of the item; None keeps the known one.
            item: the item's name; empty for a step with a single bar.
            title: new title of the step; None keeps the present one.
        """
        with self._lock:
            if title is not None:
                self._title = title
            bar = self._bar(item)
            bar.done = done
            if total is not None:
                bar.total = total
            now = time.monotonic()
            rate = (bar.done - bar.done_before) / max(now - bar.started, 1e-9)
            amount = _amount(bar.done, bar.total, rate, self._unit)
            self._progress.update(
                bar.task, completed=done, total=bar.total, description=item or self._title, amount=amount
            )
            if self._is_line_due(now):
                self._last_line = now
                self.line(self._summary(now))

    def advance(self) -> None:
        """Add one to the amount done of a step with a single bar."""
        with self._lock:
            self.update(self._bar("").done + 1)

    def finish(self, item: str, title: str) -> None:
        """Remove an item's bar and set the step's title; the item's amount still counts."""
        with self._lock:
            self._title = title
            if item in self._bars:
                self._progress.update(self._bars[item].task, visible=False)

    def line(self, text: str, *, then_progress: bool = False) -> None:
        """Print a permanent line, above the bars or in the log.

        Args:
            text: the line.
            then_progress: let the next update print a progress line in the log without delay.
        """
        if self._console is not None:
            self._console.print(text, markup=False, highlight=False)
        if then_progress:
            self._last_line = -math.inf

    def _bar(self, item: str, done_before: float = 0) -> _Bar:
        if item not in self._bars:
            total = None if item else self._total
            task = self._progress.add_task(item or self._title, total=total, amount="")
            self._bars[item] = _Bar(task, time.monotonic(), done_before, done_before, total)
        return self._bars[item]

    def _is_line_due(self, now: float) -> bool:
        return self._is_log and now - self._last_line >= PLAIN_EVERY_SECONDS

    def _summary(self, now: float) -> str:
        """Return the line that a log gets: title, amount, rate, and time left if the total is known."""
        if not self._unit:
            return self._title
        done = sum(bar.done for bar in self._bars.values())
        before = sum(bar.done_before for bar in self._bars.values())
        rate = (done - before) / max(now - self._started, 1e-9)
        text = f"{self._title}, {_amount(done, self._total, rate, self._unit)}"
        if self._total is None:
            return text
        return f"{text}, {(self._total - done) / rate:.0f} s left" if rate else f"{text}, time left unknown"


def _amount(done: float, total: float | None, rate: float, unit: str) -> str:
    if unit == BYTES:
        whole = "" if total is None else f" of {megabytes(total)}"
        return f"{megabytes(done)}{whole}, {megabytes(rate)}/s"
    if not unit:
        return ""
    whole = "" if total is None else f"/{total:,.0f}"
    return f"{done:,.0f}{whole} {unit}, {rate:,.1f} {unit}/s"


def megabytes(count: float) -> str:
    """Return a number of bytes as text in megabytes (10^6 bytes), with one decimal below 100 MB."""
    return f"{count / 1e6:.1f} MB" if count < 100e6 else f"{count / 1e6:,.0f} MB"
