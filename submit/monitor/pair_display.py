"""What a person sees while pairs run: how many images and pairs are done, and how fast."""

import time
from collections.abc import Iterable
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn

from alignsec.display import Display
from alignsec.run import progress
from alignsec.spec.pair import Pair


class PairDisplay(Display):
    """Images done, rate and time left over all pairs of a run. An image counts once for each budget."""

    def __init__(self, console: Console, pairs: Iterable[Pair], image_count: int, already: Iterable[str]) -> None:
        super().__init__(
            console,
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f} images, {task.fields[rate]:.1f} images/s"),
            TimeRemainingColumn(),
        )
        self._totals = {pair.id: image_count * len(pair.attack.budgets) for pair in pairs}
        self._done = dict.fromkeys(self._totals, 0)
        self._ended = set(already)
        self._done.update({pair_id: self._totals[pair_id] for pair_id in self._ended})
        self._before = sum(self._done.values())
        self._started = time.monotonic()
        self._task = self._bar.add_task(self._pairs(), total=sum(self._totals.values()), rate=0.0)

    def __enter__(self) -> Self:
        super().__enter__()
        self._show()
        return self

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
        self.line(f"{pair_id}: {what}")
        self._told = 0.0

    def _show(self) -> None:
        done = sum(self._done.values())
        rate = (done - self._before) / max(time.monotonic() - self._started, 1e-9)
        self._bar.update(self._task, completed=done, description=self._pairs(), rate=rate)
        if self._is_line_due():
            total = sum(self._totals.values())
            left = f"{(total - done) / rate:.0f} s left" if rate else "time left unknown"
            self.line(f"{self._pairs()}, {done}/{total} images, {rate:.1f} images/s, {left}")

    def _pairs(self) -> str:
        return f"{len(self._ended)}/{len(self._totals)} pairs"
