"""Training of the demo's networks: standard, or adversarial (Madry et al. 2018)."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from studies.demo.networks import DemoNetwork

BATCH = 50


@dataclass(frozen=True)
class Recipe:
    """The training settings of one model.

    Attributes:
        epochs: Passes over the training images.
        rate: The highest learning rate of AdamW, reached after a quarter of the steps.
        eps: Linf budget of the training attack, in pixels of [0, 1]; 0 means standard training.
        steps: Gradient steps of the training attack (Madry et al. 2018), from a random start.
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
"""Training settings by the model's name in studies/demo.toml."""


class Network(nn.Module):
    """A timm network with its normalisation: maps (n, 1, side, side) in [0, 1] to (n, 10) logits."""

    def __init__(self, definition: DemoNetwork) -> None:
        super().__init__()
        self.mean, self.std = definition.mean, definition.std
        self.net: nn.Module = timm.create_model(definition.architecture, **definition.options)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits."""
        logits: Tensor = self.net((images - self.mean) / self.std)
        return logits


def train_network(definition: DemoNetwork, recipe: Recipe, images: Tensor, labels: Tensor) -> Network:
    """Train a network and return it.

    The result is bit-identical on every run with the same machine and library versions.

    Args:
        definition: The network. Its name seeds the initial weights and the noise, so that the result does not
            depend on which other networks are trained.
        recipe: The training settings.
        images: (n, 1, side, side) in [0, 1].
        labels: (n,) int64.
    """
    seed = int.from_bytes(hashlib.sha256(definition.name.encode()).digest()[:4], "big")
    torch.manual_seed(seed)
    noise = torch.Generator().manual_seed(seed)
    network = Network(definition).train()
    batches = len(images) // BATCH
    optimiser = torch.optim.AdamW(network.parameters(), weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.rate, total_steps=recipe.epochs * batches, pct_start=0.25
    )
    for epoch in range(recipe.epochs):
        # With the full budget from the start, the transformers do not learn; so it grows over the first half.
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
    """Return each image shifted by -1, 0 or 1 pixel along each axis, and padded with black."""
    side = images.shape[-1]
    padded = F.pad(images, (1, 1, 1, 1))
    rows, columns = torch.randint(0, 3, (2, len(images), 1), generator=noise) + torch.arange(side)
    each = torch.arange(len(images))[:, None, None]
    return padded[each, 0, rows[:, :, None], columns[:, None, :]].unsqueeze(1)


def attack_images(
    network: nn.Module, images: Tensor, labels: Tensor, eps: float, steps: int, noise: torch.Generator
) -> Tensor:
    """Return images in [0, 1], at Linf distance `eps` or less, with a higher loss of the network."""
    low, high = (images - eps).clamp(min=0), (images + eps).clamp(max=1)
    perturbed = low + (high - low) * torch.rand(images.shape, generator=noise)
    for _ in range(steps):
        perturbed.requires_grad_(True)
        (gradient,) = torch.autograd.grad(F.cross_entropy(network(perturbed), labels, reduction="sum"), perturbed)
        perturbed = torch.clamp(perturbed.detach() + 1.5 * eps / steps * gradient.sign(), low, high)
    return perturbed


def state_to_save(network: Network) -> dict[str, Tensor]:
    """Return the timm network's parameters and buffers, by timm's names."""
    return {name: tensor.contiguous() for name, tensor in network.net.state_dict().items()}
