"""Rows: tensors that belong together, one row a search, from which rows are taken and to which rows are added."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor


@dataclass
class Rows:
    """A struct of tensors with the same first dimension."""

    def __len__(self) -> int:
        return len(next(iter(self.tensors().values())))

    def tensors(self) -> dict[str, Tensor]:
        """Every field by its name."""
        return dict(vars(self))

    def taken(self, index: Tensor) -> Self:
        """The rows at index: int64 positions."""
        return self._each(lambda tensor: tensor[index])

    def joined(self, more: Self) -> Self:
        """These rows, then those."""
        others = more.tensors()
        return type(self)(**{name: torch.cat([mine, others[name]]) for name, mine in self.tensors().items()})

    def _each(self, change: Callable[[Tensor], Tensor]) -> Self:
        return type(self)(**{name: change(tensor) for name, tensor in self.tensors().items()})


def spread(values: Tensor, like: Tensor) -> Tensor:
    """One value a row, shaped so that it meets every element of `like`'s rows."""
    return values.view(-1, *([1] * (like.ndim - 1)))
