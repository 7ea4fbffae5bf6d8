"""Norms of batches of images, in float32 and in the order of operations that the reference's verdicts rest on."""

from torch import Tensor

from alignsec.attack import Norm
from alignsec.engine.rows import spread

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
