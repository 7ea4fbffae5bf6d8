"""How each model of the demo learns: plainly, or on images attacked while it learns."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from studies.demo.listing import ModelEntry

BATCH = 50


@dataclass(frozen=True)
class Recipe:
    """How long and on what a model learns.

    Attributes:
        epochs: passes over the training images.
        rate: highest learning rate of AdamW, reached after a quarter of the steps.
        eps: Linf budget of the attack it learns against, in pixels of [0, 1]; 0 trains plainly.
        steps: gradient steps of that attack (Madry et al. 2018), from a random start.
    """

    epochs: int
    rate: float = 4e-3
    eps: Fraction = Fraction(0)
    steps: int = 2


_ROBUST = Fraction(16, 255)
RECIPES: Mapping[str, Recipe] = {
    "resnet-plain": Recipe(epochs=12),
    "resnet-robust": Recipe(epochs=12, eps=_ROBUST),
    "vit-plain": Recipe(epochs=25, rate=6e-3),
    "vit-robust": Recipe(epochs=25, rate=6e-3, eps=_ROBUST, steps=1),
    "fasternet-plain": Recipe(epochs=12),
    "pvt-robust": Recipe(epochs=12, eps=_ROBUST),
    "densenet-plain": Recipe(epochs=15),
    "convnext-plain": Recipe(epochs=15),
    "mambaout-robust": Recipe(epochs=12, eps=_ROBUST),
}
"""By the models' names in studies/demo.toml."""


class Network(nn.Module):
    """A timm network behind its normalisation: takes (n, 1, side, side) in [0, 1], gives (n, 10) logits."""

    def __init__(self, entry: ModelEntry) -> None:
        super().__init__()
        self.mean, self.std = entry.mean, entry.std
        self.net: nn.Module = timm.create_model(entry.architecture, **entry.options)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits."""
        logits: Tensor = self.net((images - self.mean) / self.std)
        return logits


def train_network(entry: ModelEntry, recipe: Recipe, images: Tensor, labels: Tensor) -> Network:
    """Return the entry's network, trained; the same on every run of the same machine and versions.

    Args:
        entry: the network; its name seeds its first weights and its noise, whatever else is trained.
        recipe: how it learns.
        images: (n, 1, side, side) in [0, 1].
        labels: (n,) int64.
    """
    seed = int.from_bytes(hashlib.sha256(entry.name.encode()).digest()[:4], "big")
    torch.manual_seed(seed)
    noise = torch.Generator().manual_seed(seed)
    network = Network(entry).train()
    batches = len(images) // BATCH
    optimiser = torch.optim.AdamW(network.parameters(), weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.rate, total_steps=recipe.epochs * batches, pct_start=0.25
    )
    for epoch in range(recipe.epochs):
        # Attacked in full from the start, the transformers never learn; so the budget grows over the first half.
        eps = float(recipe.eps) * min(1.0, 2 * epoch / recipe.epochs)
        order = torch.randperm(len(images), generator=noise)[: batches * BATCH]
        for chosen in order.split(BATCH):
            batch, truth = shift_images(images[chosen], noise), labels[chosen]
            if eps > 0:
                batch = attack_images(network, batch, truth, eps, recipe.steps, noise)
            optimiser.zero_grad(set_to_none=True)
            F.cross_entropy(network(batch), truth).backward()
            optimiser.step()
            schedule.step()
    return network.eval().requires_grad_(False)


def shift_images(images: Tensor, noise: torch.Generator) -> Tensor:
    """Return each image moved by -1, 0 or 1 pixel along each axis; black comes in at the border."""
    side = images.shape[-1]
    padded = F.pad(images, (1, 1, 1, 1))
    rows, columns = torch.randint(0, 3, (2, len(images), 1), generator=noise) + torch.arange(side)
    each = torch.arange(len(images))[:, None, None]
    return padded[each, 0, rows[:, :, None], columns[:, None, :]].unsqueeze(1)


def attack_images(
    network: nn.Module, images: Tensor, labels: Tensor, eps: float, steps: int, noise: torch.Generator
) -> Tensor:
    """Return images in [0, 1], at most eps away in Linf, on which the network's loss is higher."""
    low, high = (images - eps).clamp(min=0), (images + eps).clamp(max=1)
    found = low + (high - low) * torch.rand(images.shape, generator=noise)
    for _ in range(steps):
        found.requires_grad_(True)
        (slope,) = torch.autograd.grad(F.cross_entropy(network(found), labels, reduction="sum"), found)
        found = torch.clamp(found.detach() + 1.5 * eps / steps * slope.sign(), low, high)
    return found


def accuracy(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Return the share of images, 0 to 1, that the network names rightly."""
    with torch.no_grad():
        return float((network(images).argmax(1) == labels).double().mean())


def state_to_save(network: Network) -> dict[str, Tensor]:
    """Return the timm network's parameters and buffers, by timm's own names."""
    return {name: tensor.contiguous() for name, tensor in network.net.state_dict().items()}
