"""Overhead of the engine: its time relative to the time of its model passes alone.

`overhead` times each pass at its own batch size. `ceiling` times the same number of images in full batches: it
gives the share of the model's own throughput that the engine reaches.
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

Extent = Literal["forward", "with graph", "backward"]
"""Extent of a pass: logits only; logits with the graph for a gradient; logits and gradient."""
Shape = tuple[int, Extent]
"""Number of images in the batch, and extent of the pass."""


class RecordingClassifier(Classifier):
    """A classifier that records the shape of every pass."""

    def __init__(self, original: Classifier) -> None:
        torch.nn.Module.__init__(self)
        self.network, self.on_pass = original.network, original.on_pass
        self.mean, self.std = original.mean, original.std
        self._forward = self._backward = 0
        self.shapes: Counter[Shape] = Counter()

    def forward(self, images: Tensor, network: Callable[[Tensor], object] | None = None) -> Tensor:
        """Return the logits of a batch of images."""
        self.shapes[len(images), "with graph" if images.requires_grad else "forward"] += 1
        return super().forward(images, network)

    def _count_backward(self, gradient: Tensor) -> None:
        super()._count_backward(gradient)
        self.shapes[len(gradient), "with graph"] -= 1
        self.shapes[len(gradient), "backward"] += 1


@dataclass(frozen=True)
class EvaluationTime:
    """Time of an evaluation and of its passes alone, in seconds."""

    engine: float
    """Time of the evaluation."""
    bare: float
    """Time of the same passes alone, with the median time of each shape."""
    ceiling: float
    """Time of the same number of images in full batches."""


def measure_overhead(task: Task, slots: int, repeats: int) -> EvaluationTime:
    """Measure an evaluation after a warm-up run; each shape is timed `repeats` times before and after it."""
    recorder = RecordingClassifier(task.classifier)
    recorded_task = Task(recorder, task.pixels, task.labels, task.attack, task.seed)
    list(engine.evaluate(recorded_task, settings=Settings(slots=slots)))
    shapes = Counter(recorder.shapes)
    full: set[Shape] = {(slots, extent) for _, extent in shapes}
    before = {shape: _times(task, shape, repeats) for shape in shapes.keys() | full}
    start = seconds()
    list(engine.evaluate(recorded_task, settings=Settings(slots=slots)))
    elapsed = seconds() - start
    each = {shape: statistics.median(times + _times(task, shape, repeats)) for shape, times in before.items()}
    return EvaluationTime(
        engine=elapsed,
        bare=sum(count * each[shape] for shape, count in shapes.items()),
        ceiling=sum(count * size / slots * each[slots, extent] for (size, extent), count in shapes.items()),
    )


def _times(task: Task, shape: Shape, repeats: int) -> list[float]:
    return [_time_pass(task.classifier, task.pixels[:], shape) for _ in range(repeats)]


def _time_pass(classifier: Classifier, pixels: Tensor, shape: Shape) -> float:
    size, extent = shape
    images = pixels.repeat(-(-size // len(pixels)), 1, 1, 1)[:size].clone().requires_grad_(extent != "forward")
    start = seconds()
    with torch.set_grad_enabled(extent != "forward"):
        logits = classifier(images)
        if extent == "backward":
            torch.autograd.grad(logits.sum(), images)
    return seconds() - start
