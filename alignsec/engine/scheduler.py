"""The agenda: which search is next, what its end means for its image, and what is decided."""

import math
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from alignsec.engine.search import Course, Search, Stage
from alignsec.spec.verdicts import ROBUST

PATIENCE = 10
"""Rounds after which an idle slot takes a later search of an image before the earlier one has failed. Most images
that break do so within two steps that can break them; one that has not is likely to need every search anyway."""

Lane = tuple[int, int]
"""A budget and an image: what gets a verdict."""


@dataclass
class Scheduler:
    """Takes every lane through the stages in order; a stage that serves all budgets waits for all of them."""

    stages: tuple[Stage, ...]
    letters: list[list[str]]
    """By budget, in ascending order, and image."""
    batch: int | None = None
    """Images whose searches begin together, to replay the reference; None where each goes its own way."""
    carry: bool = False
    round: int = 0
    courses: dict[Lane, Course] = field(default_factory=dict)
    """Of every undecided lane that is not waiting for its image's other budgets."""
    waiting: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    """Budgets at the door of a shared stage, by image."""
    gradient: deque[list[Search]] = field(default_factory=deque)
    """Searches that can begin, in blocks that begin together."""
    forward: deque[list[Search]] = field(default_factory=deque)
    _gates: dict[Lane, list[Course]] = field(default_factory=lambda: defaultdict(list))
    """Courses that wait for the rest of their batch."""
    _next_look: float = 0
    """The first round that may find searches to begin side by side; until then none is looked for."""

    def begin(self, eps: Sequence[float]) -> None:
        """Enter every robust lane whose budget leaves something to search."""
        lanes = [
            (budget, image)
            for budget in range(len(eps))
            for image, letter in enumerate(self.letters[budget])
            if letter == ROBUST and eps[budget] > 0 and self.stages
        ]
        entries = [Course(image, 0, self.stages[0], [budget]) for budget, image in lanes]
        self.courses.update(zip(lanes, entries, strict=True))
        for (budget, image), course in zip(lanes, entries, strict=True):
            if course.stage.component.shared:
                self._arrive(budget, image, 0)
            else:
                self._offer(course)

    @property
    def undecided(self) -> int:
        """Lanes without a verdict."""
        return len(self.courses) + sum(map(len, self.waiting.values()))

    def take(self, free: int) -> Iterator[list[Search]]:
        """Blocks of searches to begin in so many free slots: gradients first, then forward, then side by side."""
        for queue in (self.gradient, self.forward):
            while queue:
                queue[0][:] = [search for search in queue[0] if search.course.open]
                if len(queue[0]) > free:
                    return
                block = queue.popleft()
                free -= len(block)
                if block:
                    yield self._launched(block)
        if self.batch is None and free > 0:
            yield from self._side_by_side(free)

    def _launched(self, block: list[Search]) -> list[Search]:
        for search in block:
            course = search.course
            if course.since is None:
                course.since = self.round
                self._next_look = min(self._next_look, _patient_from(course))
        return block

    def _side_by_side(self, free: int) -> Iterator[list[Search]]:
        if self.round < self._next_look:
            return
        untried = [course for course in dict.fromkeys(self.courses.values()) if course.untried]
        self._next_look = min(map(_patient_from, untried), default=math.inf)
        patient = [course for course in untried if _patient_from(course) <= self.round]
        while free and patient:
            for course in patient[:free]:
                yield [self._next(course)]
                free -= 1
            patient = [course for course in patient if course.untried]

    def _next(self, course: Course) -> Search:
        search = Search(course, course.begun, min(course.budgets))
        course.begun += 1
        course.flying += 1
        return search

    def ended(self, search: Search) -> None:
        """A search came to its end and found nothing more."""
        course = search.course
        course.flying -= 1
        if course.flying or not course.open:
            return
        if course.untried:
            self._offer(course)
        else:
            for budget in list(course.budgets):
                self._enter(budget, course.image, course.place + 1)

    def broken(self, course: Course, budget: int) -> list[int]:
        """The course's image is broken at a budget. Returns all budgets that this decides."""
        letter = course.stage.component.letter
        decided = [budget]
        if self.carry:
            decided += [other for other in range(budget + 1, len(self.letters)) if self._open(other, course.image)]
        for each in decided:
            self.letters[each][course.image] = letter
            self._close(each, course.image)
        return decided

    def _open(self, budget: int, image: int) -> bool:
        return (budget, image) in self.courses or budget in self.waiting.get(image, ())

    def _close(self, budget: int, image: int) -> None:
        """A lane is decided: whoever waits for it need not."""
        course = self.courses.pop((budget, image), None)
        if course is not None:
            course.budgets.remove(budget)
        elif budget in self.waiting[image]:
            self.waiting[image].remove(budget)
        self._join(image)
        if self.batch is not None:
            self._open_gate((budget, image // self.batch))

    def _enter(self, budget: int, image: int, place: int) -> None:
        """Take a lane into a stage, or to its end."""
        if place == len(self.stages):
            self._close(budget, image)
        elif self.stages[place].component.shared:
            self._arrive(budget, image, place)
        else:
            course = self.courses[budget, image] = Course(image, place, self.stages[place], [budget])
            self._offer(course)

    def _arrive(self, budget: int, image: int, place: int) -> None:
        del self.courses[budget, image]
        self.waiting[image].append(budget)
        self._join(image)

    def _join(self, image: int) -> None:
        """Begin the shared stage once no lane of the image is still before it."""
        place = next((place for place, stage in enumerate(self.stages) if stage.component.shared), 0)
        lanes = [(budget, image) for budget in range(len(self.letters))]
        if not self.waiting.get(image) or any(
            lane in self.courses and self.courses[lane].place <= place for lane in lanes
        ):
            return
        budgets = sorted(self.waiting.pop(image))
        course = Course(image, place, self.stages[place], budgets)
        self.courses.update({(budget, image): course for budget in budgets})
        self._offer(course)

    def _offer(self, course: Course) -> None:
        """A course is ready for its next search."""
        if self.batch is None or course.stage.component.shared:
            self._queue([course])
            return
        group = (course.budgets[0], course.image // self.batch)
        self._gates[group].append(course)
        self._open_gate(group)

    def _open_gate(self, group: Lane) -> None:
        """Let a batch go on once all of it that is undecided has come as far."""
        budget, batch = group
        arrived = [course for course in self._gates[group] if course.open]
        undecided = [image for image, them in self.waiting.items() if budget in them]
        undecided += [image for other, image in self.courses if other == budget]
        if arrived and len(arrived) == sum(image // (self.batch or 1) == batch for image in undecided):
            del self._gates[group]
            self._queue(sorted(arrived, key=lambda course: course.image))

    def _queue(self, courses: list[Course]) -> None:
        queue = self.gradient if courses[0].stage.component.gradient else self.forward
        queue.append([self._next(course) for course in courses])

    @property
    def passes_left(self) -> int:
        """Forward passes if nothing more breaks: the most it can take."""
        left = 0
        for course in dict.fromkeys(self.courses.values()):
            left += (course.untried + course.flying) * course.stage.schedule.forward
            for stage in self.stages[course.place + 1 :]:
                left += (
                    stage.searches
                    * stage.schedule.forward
                    * (1 if stage.component.shared else len(course.budgets))
                )
        for budgets in self.waiting.values():
            place = next(place for place, stage in enumerate(self.stages) if stage.component.shared)
            later = self.stages[place + 1 :]
            left += len(budgets) * sum(stage.searches * stage.schedule.forward for stage in later)
        return left


def _patient_from(course: Course) -> float:
    """The round in which a later search of a course may begin although an earlier one has not failed."""
    if course.since is None or not course.untried:
        return math.inf
    return course.since + PATIENCE + course.stage.schedule.counts_from
