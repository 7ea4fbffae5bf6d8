"""Custom attacks for tests, and a linear classifier whose smallest perturbations have a closed form."""

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from alignsec.evaluation.custom_attack import CustomAttack
from alignsec.evaluation.task import Task
from alignsec.spec.attack import Attack
from tests.alignsec.engine.small import classifier


def sign_step(classifier, images, labels, norm, eps):
    """Move every pixel by eps against the label: the best attack in Linf on two classes of a linear model."""
    assert norm == "Linf"
    points = images.clone().requires_grad_()
    (slope,) = torch.autograd.grad(cross_entropy(classifier(points), labels), points)
    return (images + eps * slope.sign()).clamp(0, 1)


def smallest(classifier, images, labels, norm, factor=1.0):
    """Return images just across the boundary of a linear model with two classes, without a budget."""
    points = images.clone().requires_grad_()
    logits = classifier(points)
    margin = logits.gather(1, labels[:, None])[:, 0] - logits.gather(1, 1 - labels[:, None])[:, 0]
    (slope,) = torch.autograd.grad(margin.sum(), points)
    step = factor * 1.001 * margin.detach() / slope.abs().flatten(1).sum(1)
    return images - step[:, None, None, None] * slope.sign()


def noise(classifier, images, labels, norm, eps, seeds):
    """Add noise that depends only on the seed of each image."""
    draws = [
        torch.rand(image.shape, generator=torch.Generator().manual_seed(seed))
        for image, seed in zip(images, seeds, strict=True)
    ]
    return (images + eps * (2 * torch.stack(draws) - 1)).clamp(0, 1)


def global_noise(classifier, images, labels, norm, eps):
    """Add noise of torch's global generator."""
    return (images + eps * (2 * torch.rand_like(images) - 1)).clamp(0, 1)


def linear_task(function, count: int = 12, eps: tuple[str, ...] = ("0.02", "0.1"), **fields: object) -> Task:
    """Return a task on a linear model of two classes, whose first image is wrong when clean.

    Images have pixels from 0.3 to 0.7, so budgets up to 0.3 do not leave [0,1].
    """
    generator = torch.Generator().manual_seed(0)
    layer = nn.Linear(16, 2)
    with torch.no_grad():
        layer.weight.copy_(torch.randn(2, 16, generator=generator))
        layer.bias.copy_(layer.weight.sum(1) / -2)  # grey images are on the boundary
    model = classifier(nn.Sequential(nn.Flatten(), layer), side=4)
    images = 0.3 + 0.4 * torch.rand(count, 1, 4, 4, generator=generator)
    labels = model(images).argmax(1)
    labels[0] = 1 - labels[0]
    attack = Attack.model_validate({"method": f"python:{function.__name__}", "norm": "Linf", "eps": eps, **fields})
    custom = CustomAttack(function.__name__, function, attack.options)
    return Task(model, images, labels, attack, 3, custom=custom)
