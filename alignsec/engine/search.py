"""Searches: a stage of the attack, an image in a stage, and one search of it."""

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
    """Targets times restarts. The restarts of a target follow each other."""
    restarts: int
    schedule: Schedule
    candidates: int = 0
    """Classes whose boundaries each search considers; 0 if it has one target or none."""
    first: int = 0
    """Index of its first search among those of the component; above 0 for the part that follows a screen."""

    @property
    def targets(self) -> int:
        """Number of target classes that it needs, counted from the most likely one."""
        return (self.first + self.searches) // self.restarts

    @property
    def key(self) -> str:
        """Name of the stage in a snapshot, unique among the stages of an attack."""
        return f"{self.component.name}+{self.first}" if self.first else self.component.name


@dataclass(eq=False)
class StageRun:
    """One image in one stage, at one budget, or at all its undecided budgets if the component is shared."""

    image: int
    place: int
    """Index of the stage in the attack."""
    stage: Stage
    budgets: list[int]
    """Budgets without a verdict. When none is left, the run and all its searches end."""
    queued: int = 0
    """Searches queued so far."""
    active: int = 0
    """Searches that are in a queue or in a slot."""
    first_round: int | None = None
    """Round in which its first search started. None before that."""
    has_rejected_claim: bool = False
    """True if a misclassified point of it did not count as an adversarial image."""

    @property
    def is_open(self) -> bool:
        """True if a budget has no verdict."""
        return bool(self.budgets)

    @property
    def unqueued(self) -> int:
        """Number of searches that are not queued yet."""
        return self.stage.searches - self.queued


@dataclass(frozen=True, eq=False)
class Search:
    """One search, from one start towards one target class."""

    stage_run: StageRun
    number: int
    """Index in the component's order of targets and restarts."""
    charged_budget: int
    """Budget that its passes are charged to: the smallest one that it served when it was queued."""

    @cached_property
    def account(self) -> tuple[int, str]:
        """Budget and component that its passes are charged to."""
        return (self.charged_budget, self.stage_run.stage.component.name)

    @property
    def target(self) -> int:
        """Rank of its target class: 0 is the most likely other class."""
        return self.number // self.stage_run.stage.restarts

    @property
    def restart(self) -> int:
        """Index of its random start towards that target."""
        return self.number % self.stage_run.stage.restarts
