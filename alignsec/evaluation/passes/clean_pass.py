"""The opening of an evaluation: the clean images, once."""

from dataclasses import dataclass

import torch
from torch import Tensor

from alignsec.evaluation.passes import memory
from alignsec.evaluation.passes import warnings as notes
from alignsec.evaluation.passes.model_runner import ModelRunner, non_finite_error
from alignsec.evaluation.task import Task
from alignsec.models.errors import ModelError
from alignsec.spec.attack import Attack
from alignsec.spec.verdicts import ROBUST, WRONG, BudgetVerdicts, Passes

_ASKED_TWICE = 16
"""Images whose logits are asked for again, to see whether they are the same."""


def check_task(task: Task) -> None:
    """Raises ValueError unless there are images in [0,1], float32, with a label each."""
    pixels, labels = task.pixels, task.labels
    dtype = pixels.dtype if isinstance(pixels, Tensor) else torch.float32
    if len(pixels.shape) != 4 or dtype != torch.float32 or not len(pixels) or len(pixels) != len(labels):
        shape = " x ".join(map(str, pixels.shape))
        raise ValueError(
            f"pixels are {shape} {dtype}, labels {len(labels)}; give N x C x H x W float32 and N labels"
        )
    # Bytes over 255 lie there by themselves, and are not yet all decoded.
    low, high = (float(pixels.min()), float(pixels.max())) if isinstance(pixels, Tensor) else (0, 1)
    if not (low >= 0 and high <= 1):
        raise ValueError(f"pixels lie in {low:g} to {high:g}, not in 0 to 1; normalise inside the classifier")
    if int(labels.min()) < 0:
        raise ValueError(f"label {int(labels.min())} is negative")


@dataclass(frozen=True)
class CleanPass:
    """What the clean images show."""

    logits: Tensor
    """N x classes."""
    passes: Passes
    image_bytes: int
    """Memory that a pass which goes backward too takes for one image, as the gauge measures it."""
    warnings: list[str]


def run_clean_pass(task: Task, passage: ModelRunner, limit: int | None) -> CleanPass:
    """Put the clean images through the model, and see how many it can take at once."""
    first, image_bytes = passage.probe(task.pixels[:_ASKED_TWICE])
    passage.max_batch = memory.fit_batch_size(
        passage.max_batch, image_bytes * passage.memory_pools, task.pixels[0], limit
    )
    require_finite(first)
    logits = require_finite(passage.classify(task.pixels))
    if (highest := int(task.labels.max())) >= logits.shape[1]:
        raise ModelError(f"label {highest} is outside the model's {logits.shape[1]} classes")
    spent = Passes(forward=len(logits) + len(first))
    return CleanPass(logits, spent, image_bytes, notes.find_model_warnings(logits, first))


def top5_flags(logits: Tensor, labels: Tensor) -> str:
    """For each image 1 where its label is among the five highest logits, else 0.

    Of equal logits that of the first class counts as the higher; the class that argmax names is always among them.
    """
    own = logits.gather(1, labels[:, None])
    earlier = torch.arange(logits.shape[1], device=logits.device) < labels[:, None]
    above = (logits > own) | ((logits == own) & earlier)
    among = (above.sum(1) < 5) | (logits.argmax(1) == labels)
    return "".join("1" if one else "0" for one in among.tolist())


def require_finite(logits: Tensor) -> Tensor:
    """The logits. Raises ModelError unless all are finite."""
    if bad := int((~logits.isfinite().all(1)).sum()):
        raise non_finite_error(bad, len(logits))
    return logits


def clean_verdicts(attack: Attack, logits: Tensor, labels: Tensor) -> tuple[BudgetVerdicts, ...]:
    """Wrong when clean, or robust until broken."""
    right = (logits.argmax(1) == labels).tolist()
    verdicts = "".join(ROBUST if one else WRONG for one in right)
    return tuple(
        BudgetVerdicts(eps=eps, verdicts=verdicts, largest_distance=0, seconds=0, passes={})
        for eps in attack.budgets
    )
