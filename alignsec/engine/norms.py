"""Norms of batches of images, in float32.

The order of operations is that of the reference, because verdicts depend on the last bit.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from alignsec.spec.components import Norm

TINY = 1e-12


def length(images: Tensor, norm: Norm) -> Tensor:
    """Return the norm of each image, float32, N. The judge measures in float64 instead."""
    flat = images.flatten(1)
    if norm == "Linf":
        return flat.abs().amax(1)
    if norm == "L1":
        return flat.abs().sum(1)
    return flat.square().sum(1).sqrt()


def normalize(images: Tensor, norm: Norm) -> Tensor:
    """Return each image scaled to norm 1. An image of zeros stays zero."""
    return images / (per_row(length(images, norm), images) + TINY)


def project_to_ball(points: Tensor, clean: Tensor, eps: Tensor, norm: Norm) -> Tensor:
    """Return the points moved to within eps of their clean images, then into [0,1].

    Args:
        points: Images, N x C x H x W.
        clean: Their clean images, of the same shape.
        eps: Radii, N.
        norm: Linf or L2. For L1 see `alignsec.engine.attacks.l1_ball`.
    """
    radius = per_row(eps, clean)
    if norm == "Linf":
        return points.maximum(clean - radius).minimum(clean + radius).clamp(0, 1)
    away = points - clean
    return (clean + normalize(away, norm) * radius.minimum(per_row(length(away, norm), away))).clamp(0, 1)


def per_row(values: Tensor, like: Tensor) -> Tensor:
    """Return values, N, in a shape that broadcasts over the rows of `like`, N x ..."""
    return values.view(-1, *([1] * (like.ndim - 1)))


@dataclass
class Rows:
    """A struct of tensors with the same first dimension."""

    def __len__(self) -> int:
        return len(next(iter(self.tensors().values())))

    def tensors(self) -> dict[str, Tensor]:
        """Return every field by its name."""
        return dict(vars(self))

    def select(self, index: Tensor) -> Self:
        """Return the rows at the positions `index`, int64."""
        return self._map(lambda tensor: tensor[index])

    def concat(self, more: Self) -> Self:
        """Return these rows followed by those."""
        others = more.tensors()
        return type(self)(**{name: torch.cat([mine, others[name]]) for name, mine in self.tensors().items()})

    def _map(self, change: Callable[[Tensor], Tensor]) -> Self:
        return type(self)(**{name: change(tensor) for name, tensor in self.tensors().items()})
