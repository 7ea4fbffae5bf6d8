"""Replay: the random numbers that the reference draws, for parity tests.

The reference seeds one generator per component, then draws for all images of a batch that are still robust: at
every restart and target for APGD, at every step for Square. All searches of a batch must therefore start together,
which `ReplayScheduler` ensures. Square's searches must also step together, which slots for a whole batch ensure.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Generator, Tensor

from alignsec.engine.noise import CHUNK, numbers_per_step, tile_count
from alignsec.engine.search import Search
from alignsec.spec.components import Norm

Group = tuple[int, int, str]
"""Searches that share a generator: budget, batch and component."""


@dataclass
class ReplayNoise:
    """A `Noise` that draws as the reference does for batches of `batch` images."""

    seed: int
    norm: Norm
    shape: tuple[int, int, int]
    batch: int
    _generators: dict[Group, Generator] = field(default_factory=dict)

    @property
    def chunk(self) -> int:
        """See Noise. In L2 and L1, the numbers of each step depend on how many images are still robust."""
        return CHUNK if self.norm == "Linf" else 1

    def uniform(self, searches: Sequence[Search], part: str, shape: tuple[int, ...]) -> Tensor:
        """Raise NotImplementedError: the reference's components draw by the methods below."""
        raise NotImplementedError("a replay only draws the numbers of the reference's components")

    def directions(self, searches: Sequence[Search]) -> Tensor:
        """See Noise. All searches belong to one group."""
        generator = self._generator(self._group(searches[0]))
        if self.norm == "Linf":
            return 2 * torch.rand((len(searches), *self.shape), generator=generator) - 1
        drawn = torch.randn((len(searches), *self.shape), generator=generator)
        if self.norm == "L1":
            # The reference also draws a start for each of its three balls, and does not use it.
            for _ in range(3):
                torch.randn(drawn.shape, generator=generator)
        return drawn

    def square_start(self, searches: Sequence[Search]) -> Tensor:
        """See Noise. All searches belong to one group."""
        generator, count = self._generator(self._group(searches[0])), len(searches)
        channels, _, width = self.shape
        if self.norm == "Linf":
            return torch.rand((count, channels, 1, width), generator=generator)
        numbers = torch.rand((tile_count(self.shape), 1 + count * channels), generator=generator)
        return _split_by_image(numbers, 1, count)

    def square_steps(self, searches: Sequence[Search], steps: Sequence[int]) -> Tensor:
        """See Noise. The searches of a group are at the same step."""
        groups: dict[Group, list[int]] = {}
        for row, search in enumerate(searches):
            groups.setdefault(self._group(search), []).append(row)
        numbers = torch.empty(len(searches), self.chunk, numbers_per_step(self.shape, self.norm))
        for group, rows in groups.items():
            generator = self._generator(group)
            if self.norm == "Linf":
                numbers[rows] = torch.rand(numbers.shape[1:], generator=generator)
            else:
                drawn = torch.rand((1, 5 + len(rows) * self.shape[0]), generator=generator)
                numbers[rows] = _split_by_image(drawn, 5, len(rows))
        return numbers

    def _group(self, search: Search) -> Group:
        run = search.stage_run
        return (run.budgets[0], run.image // self.batch, run.stage.component.name)

    def _generator(self, group: Group) -> Generator:
        return self._generators.setdefault(group, Generator().manual_seed(self.seed))


def _split_by_image(numbers: Tensor, shared: int, count: int) -> Tensor:
    """Give each image its own numbers and the shared ones.

    Args:
        numbers: Draws x (shared + count * C).
        shared: Numbers at the front of each draw that all images use.
        count: Images.

    Returns:
        The numbers, count x draws x (shared + C).
    """
    own = numbers[:, shared:].unflatten(1, (count, -1)).transpose(0, 1)
    return torch.cat([numbers[:, :shared].expand(count, -1, -1), own], dim=2)
