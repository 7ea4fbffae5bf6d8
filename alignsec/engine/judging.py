"""Judging: which points of a pass are adversarial images that count, by the rule of alignsec.judge.

The judge puts an image through the float32 model again; here the logits are those of that model at that very
image, from the pass that the engine itself made, so one pass serves the search and the judgement.
"""

import torch
from torch import Tensor

from alignsec.attack import Norm
from alignsec.judge import distances, tolerance


def sound_distances(clean: Tensor, points: Tensor, norm: Norm) -> list[float]:
    """Distance of each point from its clean image, infinite for a point that is not an image in [0,1]."""
    inside = ((points >= 0) & (points <= 1)).flatten(1).all(1)
    return torch.where(inside, distances(clean, points, norm), torch.inf).tolist()


def within(distance: float, eps: float, image: Tensor, norm: Norm) -> bool:
    """Whether a distance counts as no larger than eps, float32 rounding allowed for."""
    return distance <= eps + tolerance(image, norm)
