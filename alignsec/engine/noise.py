"""Noise: the random numbers of the searches. They are drawn on the CPU, so that every device gets the same."""

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
"""Steps of Square whose numbers are drawn at once. Drawing then takes no noticeable time, and the numbers take
little memory."""


def tile_count(shape: tuple[int, ...]) -> int:
    """Return the tiles of Square's start in L2 and L1: five per side, or one per pixel of smaller images."""
    side = max(shape[1] // 5, 1)
    return (shape[1] // side) * (shape[2] // side)


def numbers_per_step(shape: tuple[int, ...], norm: Norm) -> int:
    """Return the numbers that one step of Square takes for an image C x H x W: position, and one per channel."""
    return (2 if norm == "Linf" else 5) + shape[0]


class Noise(Protocol):
    """Source of random numbers. Searches are given in the order of their images; N is their number."""

    @property
    def chunk(self) -> int:
        """Steps of Square whose numbers are drawn at once."""

    def uniform(self, searches: Sequence[Search], part: str, shape: tuple[int, ...]) -> Tensor:
        """Return uniform numbers in [0, 1), N x shape, that depend only on the search and on `part`."""

    def directions(self, searches: Sequence[Search]) -> Tensor:
        """Return directions for APGD's starts, N x C x H x W: uniform in [-1,1] for Linf, else normal."""

    def square_start(self, searches: Sequence[Search]) -> Tensor:
        """Return uniform numbers for Square's start: N x C x 1 x W for Linf, else N x tiles x (1 + C)."""

    def square_steps(self, searches: Sequence[Search], steps: Sequence[int]) -> Tensor:
        """Return uniform numbers for the coming steps of Square, N x chunk x numbers per step."""


@dataclass
class KeyedNoise:
    """Random numbers that depend only on the seed, the image's pixels, the component, the target and the restart.

    Verdicts therefore do not depend on which images are evaluated together, on their order, or on interruptions.
    """

    seed: int
    norm: Norm
    pixels: Images
    _digests: dict[int, str] = field(default_factory=dict)

    @property
    def chunk(self) -> int:
        """See Noise."""
        return CHUNK

    def uniform(self, searches: Sequence[Search], part: str, shape: tuple[int, ...]) -> Tensor:
        """See Noise."""
        return torch.stack([torch.rand(shape, generator=self._generator(search, part)) for search in searches])

    def directions(self, searches: Sequence[Search]) -> Tensor:
        """See Noise."""
        if self.norm == "Linf":
            return 2 * self.uniform(searches, "start", self._shape) - 1
        return torch.stack([torch.randn(self._shape, generator=self._generator(s, "start")) for s in searches])

    def square_start(self, searches: Sequence[Search]) -> Tensor:
        """See Noise."""
        channels, _, width = self._shape
        shape = (channels, 1, width) if self.norm == "Linf" else (tile_count(self._shape), 1 + channels)
        return self.uniform(searches, "start", shape)

    def square_steps(self, searches: Sequence[Search], steps: Sequence[int]) -> Tensor:
        """See Noise."""
        shape = (CHUNK, numbers_per_step(self._shape, self.norm))
        pairs = zip(searches, steps, strict=True)
        return torch.cat([self.uniform([search], str(step), shape) for search, step in pairs])

    @property
    def _shape(self) -> tuple[int, ...]:
        return tuple(self.pixels.shape[1:])

    def _generator(self, search: Search, part: str) -> Generator:
        image, component = search.stage_run.image, search.stage_run.stage.component.name
        if image not in self._digests:
            content = self.pixels[image].cpu().contiguous().numpy().tobytes()
            self._digests[image] = hashlib.sha256(content).hexdigest()
        key = f"{self.seed}/{self._digests[image]}/{component}/{search.target}/{search.restart}/{part}"
        number = int.from_bytes(hashlib.sha256(key.encode()).digest()[:7], "big")
        return Generator().manual_seed(number)
