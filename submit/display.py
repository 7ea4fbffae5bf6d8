"""What a person sees while pairs run: a bar on a terminal, plain lines in a log."""

import time
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from alignsec import progress
from alignsec.pair import Pair

PLAIN_EVERY_SECONDS = 10.0


class Display:
    """Images done, rate and time left over all pairs of a run. An image counts once for each budget."""

    def __init__(self, console: Console, pairs: Iterable[Pair], image_count: int, already: Iterable[str]) -> None:
        self._console = console
        self._totals = {pair.id: image_count * len(pair.attack.budgets) for pair in pairs}
        self._done = dict.fromkeys(self._totals, 0)
        self._ended = set(already)
        self._done.update({pair_id: self._totals[pair_id] for pair_id in self._ended})
        self._before = sum(self._done.values())
        self._started = self._told = time.monotonic()
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f} images, {task.fields[rate]:.1f} images/s"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task(self._pairs(), total=sum(self._totals.values()), rate=0.0)

    def __enter__(self) -> Self:
        self._bar.start()
        self._show()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._bar.stop()

    def said(self, pair_id: str, said: progress.Progress) -> None:
        """A pair's job told how far it is."""
        self.at(pair_id, said.done)

    def at(self, pair_id: str, images_done: int) -> None:
        """A pair is known to be this far."""
        self._done[pair_id] = min(images_done, self._totals[pair_id])
        self._show()

    def ended(self, pair_id: str, what: str) -> None:
        """A pair's job has ended."""
        self._done[pair_id] = self._totals[pair_id]
        self._ended.add(pair_id)
        self._show()
        self._console.print(f"{pair_id}: {what}", markup=False, highlight=False)
        self._told = 0.0

    def _show(self) -> None:
        done, now = sum(self._done.values()), time.monotonic()
        rate = (done - self._before) / max(now - self._started, 1e-9)
        self._bar.update(self._task, completed=done, description=self._pairs(), rate=rate)
        if not self._console.is_terminal and now - self._told >= PLAIN_EVERY_SECONDS:
            self._told = now
            total = sum(self._totals.values())
            left = f"{(total - done) / rate:.0f} s left" if rate else "time left unknown"
            line = f"{self._pairs()}, {done}/{total} images, {rate:.1f} images/s, {left}"
            self._console.print(line, markup=False, highlight=False)

    def _pairs(self) -> str:
        return f"{len(self._ended)}/{len(self._totals)} pairs"
