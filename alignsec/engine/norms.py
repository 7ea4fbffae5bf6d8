"""Norms of batches of images, in float32 and in the order of operations that the reference's verdicts rest on."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from alignsec.spec.components import Norm

_TINY = 1e-12


def length(images: Tensor, norm: Norm) -> Tensor:
    """Norm of each image, N, in float32: what searches need. The judge measures in float64."""
    flat = images.flatten(1)
    if norm == "Linf":
        return flat.abs().amax(1)
    if norm == "L1":
        return flat.abs().sum(1)
    return flat.square().sum(1).sqrt()


def unit(images: Tensor, norm: Norm) -> Tensor:
    """Each image scaled to norm 1; zero stays zero."""
    return images / (spread(length(images, norm), images) + _TINY)


def into_ball(points: Tensor, clean: Tensor, eps: Tensor, norm: Norm) -> Tensor:
    """The points moved to within eps (N) of their clean images, in Linf or L2, then into [0,1]."""
    radius = spread(eps, clean)
    if norm == "Linf":
        return points.maximum(clean - radius).minimum(clean + radius).clamp(0, 1)
    away = points - clean
    return (clean + unit(away, norm) * radius.minimum(spread(length(away, norm), away))).clamp(0, 1)


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
