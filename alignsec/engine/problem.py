"""Problem: the inputs that all searches of one evaluation share."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from alignsec.engine.noise import Noise
from alignsec.engine.search import Search
from alignsec.models.pixels import Images
from alignsec.spec.components import Norm


@dataclass(frozen=True)
class Problem:
    """Images, labels, class ranking, budgets and random numbers. N is the number of searches."""

    pixels: Images
    labels: Tensor
    ranking: Tensor
    """Classes by the clean image's logits, images x classes, the most likely last."""
    eps: tuple[float, ...]
    """Radius of each budget."""
    norm: Norm
    noise: Noise

    def image_indices(self, searches: Sequence[Search]) -> Tensor:
        """Return the index of each search's image, int64, N."""
        return torch.tensor([search.stage_run.image for search in searches], device=self.pixels.device)

    def radii(self, searches: Sequence[Search]) -> Tensor:
        """Return the radius of the one budget that each search runs at, float32, N."""
        eps = [self.eps[search.stage_run.budgets[0]] for search in searches]
        return torch.tensor(eps, dtype=torch.float32, device=self.pixels.device)

    def target_classes(self, searches: Sequence[Search]) -> Tensor:
        """Return the class that each search aims at, int64, N."""
        ranks = torch.tensor([search.target for search in searches], device=self.pixels.device)
        return self.ranking[self.image_indices(searches), -2 - ranks]
