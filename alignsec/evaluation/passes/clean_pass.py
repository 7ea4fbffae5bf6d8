"""The clean pass: checks a task, classifies its clean images and returns the first evaluation."""

from dataclasses import dataclass

import torch
from torch import Tensor

from alignsec.evaluation.evaluation import Evaluation
from alignsec.evaluation.passes import memory
from alignsec.evaluation.passes.model_runner import ModelRunner, non_finite_error
from alignsec.evaluation.passes.warnings import find_model_warnings
from alignsec.evaluation.task import Task
from alignsec.models.errors import ModelError
from alignsec.spec.deviations import describe_deviations_for
from alignsec.spec.verdicts import ROBUST, WRONG, BudgetVerdicts, Passes

_MEASURED_IMAGES = 16
"""Number of images that are classified once more, to measure memory and to compare the logits."""


def check_task(task: Task) -> None:
    """Validate the images and labels of a task.

    Raises:
        ValueError: If the images are not N x C x H x W, float32, in [0,1] and at least one, if the number of
            labels is not N, or if a label is negative.
    """
    pixels, labels = task.pixels, task.labels
    dtype = pixels.dtype if isinstance(pixels, Tensor) else torch.float32
    if len(pixels.shape) != 4 or dtype != torch.float32 or not len(pixels) or len(pixels) != len(labels):
        shape = " x ".join(map(str, pixels.shape))
        raise ValueError(
            f"pixels are {shape} {dtype} with {len(labels)} labels; expected N x C x H x W float32 and N labels"
        )
    # Images stored as bytes are in range by construction, and some of them may not be decoded yet.
    low, high = (float(pixels.min()), float(pixels.max())) if isinstance(pixels, Tensor) else (0, 1)
    if not (low >= 0 and high <= 1):
        raise ValueError(f"pixels must be in [0,1], found {low:g} to {high:g}; normalise inside the classifier")
    if int(labels.min()) < 0:
        raise ValueError(f"labels must not be negative, found {int(labels.min())}")


@dataclass(frozen=True)
class CleanPass:
    """The results of the clean pass."""

    logits: Tensor
    """N x classes, float32."""
    passes: Passes
    image_bytes: int
    """Bytes that `memory.measure_memory` measured for one image of a gradient pass; 0 if it was not measured."""
    warnings: list[str]


def run_clean_pass(
    task: Task, runner: ModelRunner, memory_bytes: int | None = None, *, measure: bool = True
) -> CleanPass:
    """Classify the clean images.

    Args:
        task: The task, which `check_task` has validated.
        runner: The model runner. If `measure` is true, its `max_batch` is reduced to what fits in memory.
        memory_bytes: Bytes that the process may use in total; None if it has no limit.
        measure: Classify the first images once more, to measure the memory of one image. The reference run does
            not need it.

    Raises:
        ModelError: If logits are not finite or a label is outside the model's classes.
    """
    first, image_bytes = None, 0
    if measure:
        first, image_bytes = runner.probe(task.pixels[:_MEASURED_IMAGES])
        runner.max_batch = memory.fit_batch_size(
            runner.max_batch, image_bytes * runner.memory_pools, task.pixels[0], memory_bytes
        )
        require_finite(first)
    logits = require_finite(runner.classify(task.pixels))
    if (highest := int(task.labels.max())) >= logits.shape[1]:
        raise ModelError(f"label {highest} is outside the model's {logits.shape[1]} classes")
    mixed = _mix_batch(task.pixels[:1])
    again = [runner.classify(mixed)[1:2] for _ in range(2)]
    forward = len(logits) + 2 * len(mixed) + (0 if first is None else len(first))
    notes = find_model_warnings(logits, first, again)
    return CleanPass(logits, Passes(forward=forward), image_bytes, notes)


def _mix_batch(image: Tensor) -> Tensor:
    """Return a batch with an image, 1 x C x H x W, at its second place between two others made from it.

    The image is neither first nor last, because a network may subtract the first or the last image of a batch.
    """
    return torch.cat([1 - image, image, (1 - image) / 2])


def start_evaluation(task: Task, clean: CleanPass) -> Evaluation:
    """Return the evaluation after the clean pass, with no steps planned yet."""
    classes = clean.logits.shape[1]
    return Evaluation(
        classes=classes,
        clean_top5=top5_flags(clean.logits, task.labels),
        clean_passes=clean.passes,
        budgets=_clean_verdicts(task, clean.logits),
        steps=0,
        undecided=0,
        passes_left=0,
        notes=(*describe_deviations_for(task.attack, classes), *clean.warnings),
        image_bytes=clean.image_bytes,
    )


def top5_flags(logits: Tensor, labels: Tensor) -> str:
    """Return one character for each image: 1 if its label is among the five highest logits, else 0.

    Among equal logits, that of the first class counts as the highest. The class that argmax returns is always
    among the five.

    Args:
        logits: N x classes.
        labels: int64, N.
    """
    own = logits.gather(1, labels[:, None])
    earlier = torch.arange(logits.shape[1], device=logits.device) < labels[:, None]
    above = (logits > own) | ((logits == own) & earlier)
    among = (above.sum(1) < 5) | (logits.argmax(1) == labels)
    return "".join("1" if one else "0" for one in among.tolist())


def require_finite(logits: Tensor) -> Tensor:
    """Return the logits, N x classes, if all are finite.

    Raises:
        ModelError: If the logits of an image are not finite.
    """
    if bad := int((~logits.isfinite().all(1)).sum()):
        raise non_finite_error(bad, len(logits))
    return logits


def _clean_verdicts(task: Task, logits: Tensor) -> tuple[BudgetVerdicts, ...]:
    """Return verdicts for each budget: wrong if misclassified when clean, otherwise robust until broken."""
    correct = (logits.argmax(1) == task.labels).tolist()
    verdicts = "".join(ROBUST if one else WRONG for one in correct)
    return tuple(
        BudgetVerdicts(eps=eps, verdicts=verdicts, largest_distance=0, seconds=0, passes={})
        for eps in task.attack.budgets
    )
