"""Pixels: the images of a task held as bytes, given as float32 in [0,1] where they are wanted."""

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

_AS_FLOAT = torch.arange(256).float() / 255
"""What ToTensor makes of each byte on a CPU. CUDA divides by a number in another way, by its reciprocal, which
moves the last bit of some values: there bytes are looked up here."""


class Images(Protocol):
    """Images in [0,1], N x C x H x W: a float32 tensor of them, or Pixels."""

    @property
    def shape(self) -> torch.Size:
        """N, C, H, W."""

    @property
    def device(self) -> torch.device:
        """Where they are given."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: "int | slice | list[int] | Tensor", /) -> Tensor: ...


class Pixels:
    """A quarter of the memory of float32, and bit for bit the same values: bytes over 255.

    Images may still be on their way from the decoder: asking for some waits until they, and all before them, are
    there.
    """

    def __init__(
        self, values: Tensor, device: torch.device | None = None, wait: Callable[[int], None] | None = None
    ) -> None:
        """values: uint8, N x C x H x W, on the CPU; wait(n) returns when the first n of them are final."""
        self.device = device or values.device
        self._values = values
        self._wait = wait
        self._given = torch.empty_like(values, device=self.device) if self.device != values.device else values
        self._ready = 0 if wait or self._given is not values else len(values)
        self._table = None if self.device.type == "cpu" else _AS_FLOAT.to(self.device)

    @property
    def shape(self) -> torch.Size:
        """N, C, H, W."""
        return self._values.shape

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, index: int | slice | list[int] | Tensor, /) -> Tensor:
        """Some images, float32; indices as of a tensor's first dimension."""
        self._make_ready(self._last(index))
        chosen = self._given[index]
        return chosen.float().div_(255) if self._table is None else self._table[chosen.int()]

    def _last(self, index: int | slice | list[int] | Tensor) -> int:
        """How many of the first images hold all that are asked for."""
        if isinstance(index, slice):
            places = range(*index.indices(len(self)))
            return max(places[0], places[-1]) + 1 if places else 0
        return index + 1 if isinstance(index, int) and index >= 0 else len(self)

    def _make_ready(self, count: int) -> None:
        if (start := self._ready) >= count:
            return
        if self._wait:
            self._wait(count)
        if self._given is not self._values:
            self._given[start:count].copy_(self._values[start:count])
        self._ready = count
