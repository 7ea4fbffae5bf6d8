"""Pixels: images stored as bytes and converted to float32 in [0,1] on access."""

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

_FLOAT_OF_BYTE = torch.arange(256).float() / 255
"""The values that ToTensor returns for each byte on a CPU. CUDA divides by multiplying with the reciprocal, which
changes the last bit of some values, so other devices look the values up here."""


class Images(Protocol):
    """Images in [0,1], N x C x H x W: a float32 tensor or Pixels."""

    @property
    def shape(self) -> torch.Size:
        """N, C, H, W."""

    @property
    def device(self) -> torch.device:
        """The device of the images that indexing returns."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: "int | slice | list[int] | Tensor", /) -> Tensor: ...


class Pixels:
    """Images stored as bytes, which need a quarter of the memory of float32.

    Indexing returns bytes divided by 255, with the same bits as a float32 tensor would have. Images may still be
    decoding: indexing waits until the requested images, and all images before them, are decoded.
    """

    def __init__(
        self, values: Tensor, device: torch.device | None = None, wait: Callable[[int], None] | None = None
    ) -> None:
        """Store the images.

        Args:
            values: uint8, N x C x H x W, on the CPU.
            device: Device of the images that indexing returns; by default that of `values`.
            wait: A function that returns when the first n images of `values` are final; None if all are.
        """
        self.device = device or values.device
        self._values = values
        self._wait = wait
        self._on_device = torch.empty_like(values, device=self.device) if self.device != values.device else values
        self._ready = 0 if wait or self._on_device is not values else len(values)
        self._table = None if self.device.type == "cpu" else _FLOAT_OF_BYTE.to(self.device)

    @property
    def shape(self) -> torch.Size:
        """N, C, H, W."""
        return self._values.shape

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, index: int | slice | list[int] | Tensor, /) -> Tensor:
        """Return images as float32 in [0,1]; `index` is an index of a tensor's first dimension."""
        self._make_ready(self._count_needed(index))
        chosen = self._on_device[index]
        return chosen.float().div_(255) if self._table is None else self._table[chosen.int()]

    def _count_needed(self, index: int | slice | list[int] | Tensor) -> int:
        """Return the smallest n such that the first n images contain all requested ones."""
        if isinstance(index, slice):
            positions = range(*index.indices(len(self)))
            return max(positions[0], positions[-1]) + 1 if positions else 0
        return index + 1 if isinstance(index, int) and index >= 0 else len(self)

    def _make_ready(self, count: int) -> None:
        if (start := self._ready) >= count:
            return
        if self._wait:
            self._wait(count)
        if self._on_device is not self._values:
            self._on_device[start:count].copy_(self._values[start:count])
        self._ready = count
