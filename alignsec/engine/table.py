"""Tables: the searches of one stage, which step together.

A component of the attack is a subclass of `Table`. See tests/alignsec/engine/random_search.py for a short one.
"""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Generic, Literal, TypeVar

import torch
from torch import Tensor

from alignsec.engine.norms import Rows
from alignsec.engine.problem import Problem
from alignsec.engine.search import Schedule, Search, Stage
from alignsec.spec.components import Parameters

PassKind = Literal["gradient", "forward"]
R = TypeVar("R", bound=Rows)


@dataclass
class StepInput:
    """Results of one pass for the rows of one table."""

    logits: Tensor
    tied: list[bool]
    """True if the label's logit equals the largest other one."""
    losses: Tensor | None = None
    """Losses, N. None after a forward pass."""
    gradients: Tensor | None = None
    """Gradients of the losses, N x C x H x W. None after a forward pass."""


@dataclass
class Table(ABC, Generic[R]):
    """Searches of one stage and the tensors of each, in the same order.

    In each round the engine runs a gradient pass, then a forward pass. For each kind in `passes`, it takes the
    table's `points`, runs the model on them, judges them, and calls `update`.
    """

    passes: ClassVar[tuple[PassKind, ...]]
    """Passes that every search needs in a round."""
    judged_after: ClassVar[PassKind]
    """Pass after which misclassified points count as adversarial images."""

    stage: Stage
    problem: Problem
    counters: Counter[str]
    """Events for the warnings at the end of the evaluation."""
    searches: list[Search] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    """Steps that each search took to its point; 0 at the start."""
    _rows: R | None = None

    @classmethod
    @abstractmethod
    def schedule(cls, parameters: Parameters) -> Schedule:
        """Return the length of one search, given the value of each parameter that the component uses."""

    @abstractmethod
    def points(self) -> Tensor:
        """Return the images to run the model on, one per search, N x C x H x W."""

    @abstractmethod
    def losses(self, rows: slice, logits: Tensor) -> Tensor:
        """Return the loss of some rows, whose gradient the search needs, from their logits."""

    @abstractmethod
    def update(self, step: StepInput) -> list[bool]:
        """Move every search on, given the results of a pass. Return True for searches that have ended."""

    @abstractmethod
    def ends_now(self) -> list[bool]:
        """Return True for searches that end with the coming `update`, unless their image is broken."""

    def counts_now(self) -> list[bool]:
        """Return True for searches whose present point can count as an adversarial image."""
        return [True] * len(self.searches)

    @abstractmethod
    def row_type(self) -> type[R]:
        """Return the class of the rows."""

    @abstractmethod
    def _start(self, searches: Sequence[Search]) -> R:
        """Return the rows of new searches at their starts."""

    @property
    def rows(self) -> R:
        """The rows. An empty table has none."""
        assert self._rows is not None  # noqa: S101 - callers have checked that there are searches
        return self._rows

    def add(self, searches: Sequence[Search]) -> None:
        """Start more searches."""
        more = self._start(searches)
        rows = more if self._rows is None else self._rows.concat(more)
        self.replace(searches=[*self.searches, *searches], steps=[*self.steps, *([0] * len(searches))], rows=rows)

    def replace(self, searches: list[Search], steps: list[int], rows: R) -> None:
        """Replace the whole content."""
        self.searches, self.steps, self._rows = searches, steps, rows

    def keep(self, wanted: Sequence[bool]) -> None:
        """Remove the searches for which `wanted` is False."""
        index = [row for row, want in enumerate(wanted) if want]
        self.searches, self.steps = [self.searches[row] for row in index], [self.steps[row] for row in index]
        at = torch.tensor(index, dtype=torch.int64, device=self.problem.pixels.device)
        self._rows = self.rows.select(at) if index else None

    def save_rows(self) -> dict[str, Tensor]:
        """Return the tensors that `load_rows` cannot compute, by field. Images are float32."""
        rows = self.rows.tensors()
        del rows["clean"]
        return rows

    def load_rows(self, searches: list[Search], steps: list[int], rows: dict[str, Tensor]) -> None:
        """Replace the content by the result of `save_rows`, to which the clean images were added."""
        self.replace(searches, steps, self.row_type()(**rows))

    def _count_step(self) -> None:
        self.steps = [step + 1 for step in self.steps]
