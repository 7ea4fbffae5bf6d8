"""Tables: the searches of one stage that are under way, stepping together. What the engine needs of each."""

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

Kind = Literal["gradient", "forward"]
R = TypeVar("R", bound=Rows)


@dataclass
class StepInput:
    """What a pass showed of a table's points, a row each."""

    logits: Tensor
    tied: list[bool]
    """Whether the label's logit equals another one."""
    losses: Tensor | None = None
    """None after a forward pass; so gradients."""
    gradients: Tensor | None = None


@dataclass
class Table(ABC, Generic[R]):
    """Searches and their rows, in the same order."""

    passes: ClassVar[tuple[Kind, ...]]
    """Which passes of a round every search wants."""
    judged_after: ClassVar[Kind]
    """The pass whose points count if they are misclassified."""

    stage: Stage
    ground: Problem
    facts: Counter[str]
    """What was noticed on the way."""
    searches: list[Search] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    """Taken by each search to its point, the start being 0."""
    _rows: R | None = None

    @classmethod
    @abstractmethod
    def schedule(cls, parameters: Parameters) -> Schedule:
        """Return the length of one search, given the value of each parameter that the component uses."""

    @property
    def rows(self) -> R:
        """The rows. An empty table has none."""
        assert self._rows is not None  # noqa: S101 - whoever asks has seen that there are searches
        return self._rows

    def admit(self, searches: Sequence[Search]) -> None:
        """Begin more searches."""
        more = self._begin(searches)
        rows = more if self._rows is None else self._rows.joined(more)
        self.restore([*self.searches, *searches], [*self.steps, *([0] * len(searches))], rows)

    def restore(self, searches: list[Search], steps: list[int], rows: R) -> None:
        """Stand where another table stood."""
        self.searches, self.steps, self._rows = searches, steps, rows

    def stored(self) -> dict[str, Tensor]:
        """The rows, by field, as far as `revive` cannot make them again; images float32, like the clean ones."""
        rows = self.rows.tensors()
        del rows["clean"]
        return rows

    def revive(self, searches: list[Search], steps: list[int], rows: dict[str, Tensor]) -> None:
        """Stand where the table stood that stored these rows, to which the clean images were added."""
        self.restore(searches, steps, self.row_type()(**rows))

    def keep(self, wanted: Sequence[bool]) -> None:
        """Go on with these searches only."""
        index = [row for row, want in enumerate(wanted) if want]
        self.searches, self.steps = [self.searches[row] for row in index], [self.steps[row] for row in index]
        at = torch.tensor(index, dtype=torch.int64, device=self.ground.pixels.device)
        self._rows = self.rows.taken(at) if index else None

    def _step(self) -> None:
        self.steps = [step + 1 for step in self.steps]

    @abstractmethod
    def _begin(self, searches: Sequence[Search]) -> R:
        """Rows at the searches' starts."""

    @abstractmethod
    def points(self) -> Tensor:
        """The images that the searches want to see through the model, a row each."""

    def counting(self) -> list[bool]:
        """Which searches' points may count, of those that are judged after this pass."""
        return [True] * len(self.searches)

    @abstractmethod
    def ending(self) -> list[bool]:
        """Which searches come to their end with this pass, if nothing is found."""

    @abstractmethod
    def losses(self, rows: slice, logits: Tensor) -> Tensor:
        """What some rows want the gradient of, one number a row."""

    @abstractmethod
    def learn(self, lesson: StepInput) -> list[bool]:
        """Take in a pass. Returns which searches have come to their end."""

    @abstractmethod
    def row_type(self) -> type[R]:
        """What the rows are made of."""
