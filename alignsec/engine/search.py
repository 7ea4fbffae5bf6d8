"""Courses: an image on its way through the searches of one stage."""

from dataclasses import dataclass
from functools import cached_property

from alignsec.spec.components import Component


@dataclass(frozen=True)
class Schedule:
    """Length of one search."""

    steps: int
    """Steps from the start to the end of the search."""
    forward: int
    """Forward passes, at most."""
    counts_from: int = 0
    """Passes before a point of the search can count as an adversarial image."""


@dataclass(frozen=True)
class Stage:
    """One component of the attack, as the searches that an image goes through until one of them breaks it."""

    component: Component
    searches: int
    """Targets times restarts; the restarts of a target follow each other."""
    restarts: int
    schedule: Schedule

    @property
    def targets(self) -> int:
        """Classes that the searches aim at, one after another."""
        return self.searches // self.restarts


@dataclass(eq=False)
class Course:
    """One image in one stage, at one budget, or at all its undecided budgets where the stage is shared."""

    image: int
    place: int
    """Of the stage in the plan."""
    stage: Stage
    budgets: list[int]
    """Still undecided; none left ends the course and every search of it."""
    begun: int = 0
    """Searches queued so far."""
    flying: int = 0
    """Searches queued or under way."""
    since: int | None = None
    """The round its first search began."""
    doubted: bool = False
    """Whether a misclassified point of it was no image that counts."""

    @property
    def open(self) -> bool:
        """Whether anything is left to be found."""
        return bool(self.budgets)

    @property
    def untried(self) -> int:
        """Searches not yet queued."""
        return self.stage.searches - self.begun


@dataclass(frozen=True, eq=False)
class Search:
    """One search: from one start towards one target."""

    course: Course
    number: int
    """In the stage's order."""
    payer: int
    """The budget its passes are counted for: the smallest one that it served when it was queued."""

    @cached_property
    def account(self) -> tuple[int, str]:
        """Whom its passes are charged to."""
        return (self.payer, self.course.stage.component.name)

    @property
    def target(self) -> int:
        """Which other class it aims at: 0 is the most likely one."""
        return self.number // self.course.stage.restarts

    @property
    def restart(self) -> int:
        """Which random start towards that target."""
        return self.number % self.course.stage.restarts
