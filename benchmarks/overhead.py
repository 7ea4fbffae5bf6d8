"""Overhead: the engine's time over that of its passes made bare, each at the batch shape it had.

On one thread and in seconds of the processor, since others may share the machine.
"""

import statistics
import time
from collections import Counter

import torch
from torch import Tensor

from alignsec import engine
from alignsec.classifier import Classifier
from alignsec.engine import Settings
from alignsec.task import Task

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


def overhead(task: Task, slots: int, repeats: int) -> float:
    """Time of an evaluation by that of its passes alone; each shape is timed `repeats` times before and after."""
    watched = Watched(task.classifier)
    watched_task = Task(watched, task.pixels, task.labels, task.attack, task.seed)
    list(engine.evaluate(watched_task, settings=Settings(slots=slots)))
    shapes = Counter(watched.shapes)
    before = _bare(task, shapes, repeats)
    began = time.process_time()
    list(engine.evaluate(watched_task, settings=Settings(slots=slots)))
    took = time.process_time() - began
    return 2 * took / (before + _bare(task, shapes, repeats))


def _bare(task: Task, shapes: Counter[Shape], repeats: int) -> float:
    """Seconds that so many passes of those shapes take, from the median pass of each shape."""
    return sum(
        count * statistics.median(_one(task.classifier, task.pixels, shape) for _ in range(repeats))
        for shape, count in shapes.items()
    )


def _one(classifier: Classifier, pixels: Tensor, shape: Shape) -> float:
    size, backward = shape
    images = pixels.repeat(-(-size // len(pixels)), 1, 1, 1)[:size].clone().requires_grad_(backward)
    began = time.process_time()
    with torch.set_grad_enabled(backward):
        logits = classifier(images)
        if backward:
            torch.autograd.grad(logits.sum(), images)
    return time.process_time() - began
