"""Ground: what every search of one evaluation stands on."""

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
    """The images, what is true of them, and the source of noise."""

    pixels: Images
    labels: Tensor
    ranking: Tensor
    """Classes by the clean image's logits, N x classes, the most likely last."""
    eps: tuple[float, ...]
    """By budget."""
    norm: Norm
    noise: Noise

    def images_of(self, searches: Sequence[Search]) -> Tensor:
        """Positions of the searches' images."""
        return torch.tensor([search.course.image for search in searches], device=self.pixels.device)

    def eps_of(self, searches: Sequence[Search]) -> Tensor:
        """The one budget that each search is at, float32."""
        eps = [self.eps[search.course.budgets[0]] for search in searches]
        return torch.tensor(eps, dtype=torch.float32, device=self.pixels.device)

    def targets_of(self, searches: Sequence[Search]) -> Tensor:
        """The class that each search aims at."""
        ranks = torch.tensor([search.target for search in searches], device=self.pixels.device)
        return self.ranking[self.images_of(searches), -2 - ranks]
