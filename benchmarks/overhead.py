"""Overhead: the engine's time over that of its passes made bare.

Each at the batch shape it had (`overhead`), or all at the one shape of full slots (`ceiling`): the share of what
the model alone could do that the engine reaches.
"""

import statistics
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from alignsec import engine
from alignsec.engine import Settings
from alignsec.evaluation.task import Task
from alignsec.models.classifier import Classifier
from benchmarks.clock import seconds

Way = Literal["forward", "with graph", "backward"]
"""How far a pass goes: the logits alone; what the way back would need, too; the way back."""
Shape = tuple[int, Way]
"""Images in the batch, and how far the pass goes."""


class Watched(Classifier):
    """A classifier that notes the shape of every pass."""

    def __init__(self, of: Classifier) -> None:
        torch.nn.Module.__init__(self)
        self.network, self.on_pass = of.network, of.on_pass
        self.mean, self.std = of.mean, of.std
        self._forward = self._backward = 0
        self.shapes: Counter[Shape] = Counter()

    def forward(self, images: Tensor, network: Callable[[Tensor], object] | None = None) -> Tensor:
        """Logits of a batch of images, as of every classifier."""
        self.shapes[len(images), "with graph" if images.requires_grad else "forward"] += 1
        return super().forward(images, network)

    def _count_backward(self, gradient: Tensor) -> None:
        super()._count_backward(gradient)
        self.shapes[len(gradient), "with graph"] -= 1
        self.shapes[len(gradient), "backward"] += 1


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
    full: set[Shape] = {(slots, way) for _, way in shapes}
    before = {shape: _times(task, shape, repeats) for shape in shapes.keys() | full}
    began = seconds()
    list(engine.evaluate(watched_task, settings=Settings(slots=slots)))
    took = seconds() - began
    each = {shape: statistics.median(times + _times(task, shape, repeats)) for shape, times in before.items()}
    return Spent(
        engine=took,
        bare=sum(count * each[shape] for shape, count in shapes.items()),
        ceiling=sum(count * size / slots * each[slots, way] for (size, way), count in shapes.items()),
    )


def _times(task: Task, shape: Shape, repeats: int) -> list[float]:
    return [_one(task.classifier, task.pixels[:], shape) for _ in range(repeats)]


def _one(classifier: Classifier, pixels: Tensor, shape: Shape) -> float:
    size, way = shape
    images = pixels.repeat(-(-size // len(pixels)), 1, 1, 1)[:size].clone().requires_grad_(way != "forward")
    began = seconds()
    with torch.set_grad_enabled(way != "forward"):
        logits = classifier(images)
        if way == "backward":
            torch.autograd.grad(logits.sum(), images)
    return seconds() - began
