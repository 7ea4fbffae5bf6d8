"""Scheduler: which search starts next, what its end means for its image, and which verdicts are final."""

import math
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from alignsec.engine.search import Search, Stage, StageRun
from alignsec.spec.verdicts import ROBUST

PATIENCE = 10
"""Rounds after which a free slot takes a later search of an image before the earlier one has failed. Most images
that break do so within two steps that count. An image that has not broken by then probably needs every search."""

Cell = tuple[int, int]
"""A budget and an image: what gets a verdict."""
Block = list[Search]
"""Searches that start together."""


@dataclass
class Scheduler:
    """Takes every cell through the stages in order. A shared stage waits for all budgets of its image."""

    stages: tuple[Stage, ...]
    verdicts: list[list[str]]
    """Verdict letters by budget, in ascending order, and by image."""
    carry: bool = False
    """True if an image broken at one budget counts as broken at every larger one."""
    round: int = 0
    runs: dict[Cell, StageRun] = field(default_factory=dict)
    """The stage run of every undecided cell that does not wait for its image's other budgets."""
    waiting: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    """Budgets that wait for a shared stage to start, by image."""
    gradient_queue: deque[Block] = field(default_factory=deque)
    """Searches that can start and need gradients."""
    forward_queue: deque[Block] = field(default_factory=deque)
    """Searches that can start and need forward passes only."""
    _next_parallel_round: float = 0
    """First round that may find searches to start in parallel. Earlier rounds need not look for any."""

    def start(self, eps: Sequence[float]) -> None:
        """Start the first stage of every robust cell whose budget is above 0.

        Args:
            eps: Radius of each budget.
        """
        cells = [
            (budget, image)
            for budget in range(len(eps))
            for image, verdict in enumerate(self.verdicts[budget])
            if verdict == ROBUST and eps[budget] > 0 and self.stages
        ]
        self._start_cells(cells, 0)

    def _start_cells(self, cells: Sequence[Cell], place: int) -> None:
        """Start the stage at `place` for cells that have no stage run."""
        runs = [StageRun(image, place, self.stages[place], [budget]) for budget, image in cells]
        self.runs.update(zip(cells, runs, strict=True))
        for (budget, image), run in zip(cells, runs, strict=True):
            if run.stage.component.shared:
                self._wait_for_shared(budget, image, place)
            else:
                self._offer(run)

    @property
    def undecided(self) -> int:
        """Number of cells without a final verdict."""
        return len(self.runs) + sum(map(len, self.waiting.values()))

    def slot_count(self, slots: int, max_batch: int) -> int:
        """Return how many searches may run at once: as many as one batch of the model holds."""
        return min(slots, max_batch)

    def next_blocks(self, free: int) -> list[Block]:
        """Take the searches to start in `free` slots, one block per stage, because each block copies a table."""
        searches = sorted(
            (search for block in self._take_blocks(free) for search in block), key=lambda s: s.stage_run.place
        )
        return [list(block) for _, block in groupby(searches, key=lambda search: search.stage_run.place)]

    def finish(self, search: Search) -> None:
        """Record that a search ended without breaking its image."""
        run = search.stage_run
        run.active -= 1
        if run.active or not run.is_open:
            return
        if run.unqueued:
            self._offer(run)
        else:
            for budget in list(run.budgets):
                self._enter(budget, run.image, run.place + 1)

    def mark_broken(self, run: StageRun, budget: int) -> list[int]:
        """Record that a stage run broke its image at a budget.

        Returns:
            All budgets that this decides: the given one, and with `carry` the larger undecided ones.
        """
        letter = run.stage.component.letter
        decided = [budget]
        if self.carry:
            larger = range(budget + 1, len(self.verdicts))
            decided += [other for other in larger if self._is_undecided(other, run.image)]
        for each in decided:
            self.verdicts[each][run.image] = letter
            self._decide(each, run.image)
        return decided

    @property
    def passes_left(self) -> int:
        """Forward passes if no further image breaks: an upper bound."""
        left = 0
        for run in dict.fromkeys(self.runs.values()):
            left += (run.unqueued + run.active) * run.stage.schedule.forward
            for stage in self.stages[run.place + 1 :]:
                times = 1 if stage.component.shared else len(run.budgets)
                left += times * stage.searches * stage.schedule.forward
        after_shared = self.stages[self._shared_place + 1 :]
        each = sum(stage.searches * stage.schedule.forward for stage in after_shared)
        left += each * sum(map(len, self.waiting.values()))
        return left

    @property
    def _shared_place(self) -> int:
        """Index of the shared stage; 0 if there is none."""
        return next((place for place, stage in enumerate(self.stages) if stage.component.shared), 0)

    def _take_blocks(self, free: int) -> Iterator[Block]:
        """Yield blocks for `free` slots: searches with gradients, then forward ones, then parallel ones."""
        for queue in (self.gradient_queue, self.forward_queue):
            while queue:
                queue[0][:] = [search for search in queue[0] if search.stage_run.is_open]
                if len(queue[0]) > free:
                    return
                block = queue.popleft()
                free -= len(block)
                if block:
                    yield self._launch(block)
        if free > 0:
            yield from self._take_parallel(free)

    def _launch(self, block: Block) -> Block:
        for search in block:
            run = search.stage_run
            if run.first_round is None:
                run.first_round = self.round
                self._next_parallel_round = min(self._next_parallel_round, _parallel_from(run))
        return block

    def _take_parallel(self, free: int) -> Iterator[Block]:
        """Yield later searches of images whose earlier searches have not failed for a while."""
        if self.round < self._next_parallel_round:
            return
        unqueued = [run for run in dict.fromkeys(self.runs.values()) if run.unqueued]
        self._next_parallel_round = min(map(_parallel_from, unqueued), default=math.inf)
        due = [run for run in unqueued if _parallel_from(run) <= self.round]
        while free and due:
            for run in due[:free]:
                yield [self._next_search(run)]
                free -= 1
            due = [run for run in due if run.unqueued]

    def _next_search(self, run: StageRun) -> Search:
        search = Search(run, run.stage.first + run.queued, min(run.budgets))
        run.queued += 1
        run.active += 1
        return search

    def _is_undecided(self, budget: int, image: int) -> bool:
        return (budget, image) in self.runs or budget in self.waiting.get(image, ())

    def _decide(self, budget: int, image: int) -> None:
        """Remove a cell whose verdict is final."""
        run = self.runs.pop((budget, image), None)
        if run is not None:
            run.budgets.remove(budget)
        elif budget in self.waiting[image]:
            self.waiting[image].remove(budget)
        self._start_shared_if_ready(image)

    def _enter(self, budget: int, image: int, place: int) -> None:
        """Take a cell into the stage at `place`, or decide it after the last stage."""
        if place == len(self.stages):
            self._decide(budget, image)
        elif self.stages[place].component.shared:
            self._wait_for_shared(budget, image, place)
        else:
            run = self.runs[budget, image] = StageRun(image, place, self.stages[place], [budget])
            self._offer(run)

    def _wait_for_shared(self, budget: int, image: int, place: int) -> None:
        del self.runs[budget, image]
        self.waiting[image].append(budget)
        self._start_shared_if_ready(image)

    def _start_shared_if_ready(self, image: int) -> None:
        """Start the shared stage of an image once none of its cells is in an earlier stage."""
        place = self._shared_place
        cells = [(budget, image) for budget in range(len(self.verdicts))]
        if not self.waiting.get(image) or any(
            cell in self.runs and self.runs[cell].place <= place for cell in cells
        ):
            return
        budgets = sorted(self.waiting.pop(image))
        run = StageRun(image, place, self.stages[place], budgets)
        self.runs.update({(budget, image): run for budget in budgets})
        self._offer(run)

    def _offer(self, run: StageRun) -> None:
        """Queue the next search of a stage run."""
        self._queue([run])

    def _queue(self, runs: list[StageRun]) -> None:
        queue = self.gradient_queue if runs[0].stage.component.gradient else self.forward_queue
        queue.append([self._next_search(run) for run in runs])


def _parallel_from(run: StageRun) -> float:
    """Return the round from which a later search of a run may start although an earlier one has not failed."""
    if run.first_round is None or not run.unqueued:
        return math.inf
    return run.first_round + PATIENCE + run.stage.schedule.counts_from
