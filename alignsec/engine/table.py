"""Tables: the searches of one stage that are under way, stepping together. What the engine needs of each."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

import torch
from torch import Tensor

from alignsec.engine.course import Search
from alignsec.engine.ground import Ground
from alignsec.engine.plan import Stage
from alignsec.engine.rows import Rows

Kind = Literal["gradient", "forward"]
R = TypeVar("R", bound=Rows)


@dataclass
class Seen:
    """What a pass showed of a table's points."""

    index: Tensor
    """Which rows of the table, positions."""
    logits: Tensor
    misclassified: Tensor
    """Bool, one a row in index."""
    losses: Tensor | None = None
    """None after a forward pass; so gradients."""
    gradients: Tensor | None = None


@dataclass
class Table(ABC, Generic[R]):
    """Searches and their rows, in the same order."""

    stage: Stage
    ground: Ground
    facts: Counter[str]
    """What was noticed on the way."""
    searches: list[Search] = field(default_factory=list)
    _rows: R | None = None

    @property
    def rows(self) -> R:
        """The rows. An empty table has none."""
        assert self._rows is not None  # noqa: S101 - whoever asks has seen that there are searches
        return self._rows

    def admit(self, searches: Sequence[Search]) -> None:
        """Begin more searches."""
        self.restore([*self.searches, *searches], self._with(self._begin(searches)))

    def restore(self, searches: list[Search], rows: R) -> None:
        """Stand where another table stood."""
        self.searches, self._rows = searches, rows

    def keep(self, wanted: Sequence[bool]) -> None:
        """Go on with these searches only."""
        index = [row for row, want in enumerate(wanted) if want]
        self.searches = [self.searches[row] for row in index]
        at = torch.tensor(index, dtype=torch.int64, device=self.ground.pixels.device)
        self._rows = self.rows.taken(at) if index else None

    def _with(self, more: R) -> R:
        return more if self._rows is None else self._rows.joined(more)

    def _all(self) -> Tensor:
        return torch.arange(len(self.searches), device=self.ground.pixels.device)

    @abstractmethod
    def _begin(self, searches: Sequence[Search]) -> R:
        """Rows at the searches' starts."""

    @abstractmethod
    def due(self, kind: Kind) -> Tensor:
        """Positions of the rows that want a pass of this kind."""

    @abstractmethod
    def points(self, index: Tensor) -> Tensor:
        """The images that those rows want to see through the model."""

    @abstractmethod
    def losses(self, index: Tensor, logits: Tensor) -> Tensor:
        """What those rows want the gradient of, one number a row."""

    @abstractmethod
    def candidates(self, index: Tensor) -> Tensor:
        """Of which of those rows the point counts if it is misclassified, bool."""

    @abstractmethod
    def learn(self, seen: Seen) -> Tensor:
        """Take in a pass. Returns which rows of the table have come to their end, bool."""

    @abstractmethod
    def steps(self) -> list[int]:
        """Steps taken to each row's point, the start being 0."""

    @abstractmethod
    def row_type(self) -> type[R]:
        """What the rows are made of."""
