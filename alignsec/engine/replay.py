"""Replay: the reference's own random numbers, for parity tests.

The reference seeds one generator for each component, then draws for all images of the batch that are still
robust: at every restart and target for APGD, at every step for Square. So all searches of a batch must begin
together, which the agenda's gates see to, and Square's must keep step, which slots for a whole batch see to.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Generator, Tensor

from alignsec.engine.noise import CHUNK, per_step, tiles
from alignsec.engine.search import Search
from alignsec.spec.components import Norm

Group = tuple[int, int, str]


@dataclass
class Replay:
    """A Noise that draws as the reference does for batches of `batch` images."""

    seed: int
    norm: Norm
    shape: tuple[int, int, int]
    batch: int
    _generators: dict[Group, Generator] = field(default_factory=dict)

    def _group(self, search: Search) -> Group:
        course = search.course
        return (course.budgets[0], course.image // self.batch, course.stage.component.name)

    def _generator(self, group: Group) -> Generator:
        return self._generators.setdefault(group, Generator().manual_seed(self.seed))

    @property
    def chunk(self) -> int:
        """See Noise. But in Linf every step's numbers depend on how many images are left."""
        return CHUNK if self.norm == "Linf" else 1

    def uniform(self, searches: Sequence[Search], part: str, shape: tuple[int, ...]) -> Tensor:
        """Raise NotImplementedError: the reference's components draw by the methods below."""
        raise NotImplementedError("a replay draws the numbers of the reference's components only")

    def start(self, searches: Sequence[Search]) -> Tensor:
        """See Noise. All searches are of one group."""
        generator = self._generator(self._group(searches[0]))
        if self.norm == "Linf":
            return 2 * torch.rand((len(searches), *self.shape), generator=generator) - 1
        drawn = torch.randn((len(searches), *self.shape), generator=generator)
        if self.norm == "L1":
            # The reference draws a start for each of its three balls too, and does not use it.
            for _ in range(3):
                torch.randn(drawn.shape, generator=generator)
        return drawn

    def square_start(self, searches: Sequence[Search]) -> Tensor:
        """See Noise. All searches are of one group."""
        generator, count = self._generator(self._group(searches[0])), len(searches)
        channels, _, width = self.shape
        if self.norm == "Linf":
            return torch.rand((count, channels, 1, width), generator=generator)
        numbers = torch.rand((tiles(self.shape), 1 + count * channels), generator=generator)
        return _dealt(numbers, 1, count)

    def square_steps(self, searches: Sequence[Search], steps: Sequence[int]) -> Tensor:
        """See Noise. The searches of a group are at the same step."""
        groups: dict[Group, list[int]] = {}
        for row, search in enumerate(searches):
            groups.setdefault(self._group(search), []).append(row)
        numbers = torch.empty(len(searches), self.chunk, per_step(self.shape, self.norm))
        for group, rows in groups.items():
            generator = self._generator(group)
            if self.norm == "Linf":
                numbers[rows] = torch.rand(numbers.shape[1:], generator=generator)
            else:
                drawn = torch.rand((1, 5 + len(rows) * self.shape[0]), generator=generator)
                numbers[rows] = _dealt(drawn, 5, len(rows))
        return numbers


def _dealt(numbers: Tensor, common: int, count: int) -> Tensor:
    """Draws x (common + count * C) to count x draws x (common + C): each image its own and the common ones."""
    own = numbers[:, common:].unflatten(1, (count, -1)).transpose(0, 1)
    return torch.cat([numbers[:, :common].expand(count, -1, -1), own], dim=2)
