"""Noise: where the searches get their random numbers from. Always drawn on the CPU: every device gets the same."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Generator, Tensor

from alignsec.engine.search import Search
from alignsec.models.pixels import Images
from alignsec.spec.components import Norm

CHUNK = 256
"""Steps of Square whose numbers are drawn at once: enough that drawing costs nothing, few enough to keep."""


def tiles(shape: tuple[int, ...]) -> int:
    """Tiles of Square's first L2 or L1 perturbation: five to a side, or one a pixel where there are fewer."""
    side = max(shape[1] // 5, 1)
    return (shape[1] // side) * (shape[2] // side)


def per_step(shape: tuple[int, ...], norm: Norm) -> int:
    """Numbers that one step of Square takes, one of them for each channel."""
    return (2 if norm == "Linf" else 5) + shape[0]


class Noise(Protocol):
    """What the searches ask for. Searches are given in the order of their images."""

    @property
    def chunk(self) -> int:
        """Steps of Square whose numbers are drawn at once."""

    def uniform(self, searches: Sequence[Search], part: str, shape: tuple[int, ...]) -> Tensor:
        """Return uniform numbers in [0, 1), N x shape, that depend on the search and on `part` alone."""

    def start(self, searches: Sequence[Search]) -> Tensor:
        """APGD's directions before scaling, N x C x H x W: uniform in [-1,1] for Linf, else normal."""

    def square_start(self, searches: Sequence[Search]) -> Tensor:
        """Uniform numbers for Square's start: N x C x 1 x W for Linf, else N x tiles x (1 + C)."""

    def square_steps(self, searches: Sequence[Search], steps: Sequence[int]) -> Tensor:
        """Uniform numbers for the coming steps of Square, N x chunk x per_step."""


def _direction(shape: tuple[int, ...], norm: Norm, generator: Generator) -> Tensor:
    if norm == "Linf":
        return 2 * torch.rand(shape, generator=generator) - 1
    return torch.randn(shape, generator=generator)


@dataclass
class Keyed:
    """Numbers that hang on the seed, the image's content, the component, the target and the restart alone.

    So verdicts do not depend on which images are evaluated together, in what order or how often stopped.
    """

    seed: int
    norm: Norm
    pixels: Images
    _digests: dict[int, str] = field(default_factory=dict)

    def _generator(self, search: Search, part: str) -> Generator:
        image, component = search.course.image, search.course.stage.component.name
        if image not in self._digests:
            content = self.pixels[image].cpu().contiguous().numpy().tobytes()
            self._digests[image] = hashlib.sha256(content).hexdigest()
        key = f"{self.seed}/{self._digests[image]}/{component}/{search.target}/{search.restart}/{part}"
        number = int.from_bytes(hashlib.sha256(key.encode()).digest()[:7], "big")
        return Generator().manual_seed(number)

    def uniform(self, searches: Sequence[Search], part: str, shape: tuple[int, ...]) -> Tensor:
        """See Noise."""
        return torch.stack([torch.rand(shape, generator=self._generator(search, part)) for search in searches])

    @property
    def _shape(self) -> tuple[int, ...]:
        return tuple(self.pixels.shape[1:])

    @property
    def chunk(self) -> int:
        """See Noise."""
        return CHUNK

    def start(self, searches: Sequence[Search]) -> Tensor:
        """See Noise."""
        return torch.stack([_direction(self._shape, self.norm, self._generator(s, "start")) for s in searches])

    def square_start(self, searches: Sequence[Search]) -> Tensor:
        """See Noise."""
        channels, _, width = self._shape
        shape = (channels, 1, width) if self.norm == "Linf" else (tiles(self._shape), 1 + channels)
        return self.uniform(searches, "start", shape)

    def square_steps(self, searches: Sequence[Search], steps: Sequence[int]) -> Tensor:
        """See Noise."""
        shape = (CHUNK, per_step(self._shape, self.norm))
        return torch.stack(
            [
                torch.rand(shape, generator=self._generator(s, str(step)))
                for s, step in zip(searches, steps, strict=True)
            ]
        )
