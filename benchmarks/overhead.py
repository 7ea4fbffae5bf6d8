"""Overhead: the engine's time over that of its passes made bare.

Each at the batch shape it had (`overhead`), or all at the one shape of full slots (`ceiling`): the share of what
the model alone could do that the engine reaches.
"""

import statistics
from collections import Counter
from dataclasses import dataclass

import torch
from torch import Tensor

from alignsec import engine
from alignsec.classifier import Classifier
from alignsec.engine import Settings
from alignsec.task import Task
from benchmarks.clock import seconds

Shape = tuple[int, bool]
"""Images in the batch, and whether the pass goes backward."""


class Watched(Classifier):
    """A classifier that notes the shape of every pass."""

    def __init__(self, of: Classifier) -> None:
        torch.nn.Module.__init__(self)
        self.network, self.on_pass = of.network, of.on_pass
        self.mean, self.std = of.mean, of.std
        self._forward = self._backward = 0
        self.shapes: Counter[Shape] = Counter()

    def forward(self, images: Tensor) -> Tensor:
        """Logits of a batch of images."""
        self.shapes[len(images), images.requires_grad] += 1
        return super().forward(images)


@dataclass(frozen=True)
class Spent:
    """What an evaluation took, and what its passes take by themselves."""

    engine: float
    """Seconds."""
    bare: float
    """Seconds of the same passes, each shape at its median time."""
    ceiling: float
    """Seconds of as many images in batches that fill the slots."""


def spent(task: Task, slots: int, repeats: int) -> Spent:
    """Measure an evaluation once it is warm; each shape is timed `repeats` times before and after it."""
    watched = Watched(task.classifier)
    watched_task = Task(watched, task.pixels, task.labels, task.attack, task.seed)
    list(engine.evaluate(watched_task, settings=Settings(slots=slots)))
    shapes = Counter(watched.shapes)
    wanted = {*shapes, (slots, True), (slots, False)}
    before = {shape: _times(task, shape, repeats) for shape in wanted}
    began = seconds()
    list(engine.evaluate(watched_task, settings=Settings(slots=slots)))
    took = seconds() - began
    each = {shape: statistics.median(before[shape] + _times(task, shape, repeats)) for shape in wanted}
    return Spent(
        engine=took,
        bare=sum(count * each[shape] for shape, count in shapes.items()),
        ceiling=sum(count * size / slots * each[slots, backward] for (size, backward), count in shapes.items()),
    )


def _times(task: Task, shape: Shape, repeats: int) -> list[float]:
    return [_one(task.classifier, task.pixels, shape) for _ in range(repeats)]


def _one(classifier: Classifier, pixels: Tensor, shape: Shape) -> float:
    size, backward = shape
    images = pixels.repeat(-(-size // len(pixels)), 1, 1, 1)[:size].clone().requires_grad_(backward)
    began = seconds()
    with torch.set_grad_enabled(backward):
        logits = classifier(images)
        if backward:
            torch.autograd.grad(logits.sum(), images)
    return seconds() - began
