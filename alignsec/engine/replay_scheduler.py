"""Replay scheduler: the order of the reference, which runs each component on a whole batch at a time."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from alignsec.engine.scheduler import Block, Scheduler
from alignsec.engine.search import StageRun


@dataclass
class ReplayScheduler(Scheduler):
    """A scheduler whose searches of a batch start together, as `ReplayNoise` requires. For parity tests only."""

    batch: int = field(kw_only=True)
    """Images in a batch of the reference."""
    _gates: dict[tuple[int, int], list[StageRun]] = field(default_factory=lambda: defaultdict(list))
    """Stage runs that wait for the rest of their batch, by budget and batch."""

    def slot_count(self, slots: int, max_batch: int) -> int:
        """Return all slots: a batch must stay together even if the model takes it in smaller batches."""
        return slots

    def next_blocks(self, free: int) -> list[Block]:
        """Take the searches to start in `free` slots. Each block draws its own random numbers."""
        return list(self._take_blocks(free))

    def _take_parallel(self, free: int) -> Iterator[Block]:
        """Yield nothing: the reference runs the searches of an image one after another."""
        return iter(())

    def _decide(self, budget: int, image: int) -> None:
        super()._decide(budget, image)
        self._open_gate(budget, image // self.batch)

    def _offer(self, run: StageRun) -> None:
        if run.stage.component.shared:
            super()._offer(run)
            return
        gate = (run.budgets[0], run.image // self.batch)
        self._gates[gate].append(run)
        self._open_gate(*gate)

    def _open_gate(self, budget: int, batch: int) -> None:
        """Queue the runs of a batch once all of its undecided images have arrived."""
        arrived = [run for run in self._gates[budget, batch] if run.is_open]
        undecided = [image for image, budgets in self.waiting.items() if budget in budgets]
        undecided += [image for other, image in self.runs if other == budget]
        if arrived and len(arrived) == sum(image // self.batch == batch for image in undecided):
            del self._gates[budget, batch]
            self._queue(sorted(arrived, key=lambda run: run.image))
