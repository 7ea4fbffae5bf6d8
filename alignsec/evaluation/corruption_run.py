"""Corruption run: classifies the clean and the corrupted form of each image once."""

import time
from collections.abc import Iterator

from torch import Tensor

from alignsec.evaluation.evaluation import Evaluation
from alignsec.evaluation.passes.clean_pass import check_task, require_finite, run_clean_pass, start_evaluation
from alignsec.evaluation.passes.frozen import frozen_parameters
from alignsec.evaluation.passes.model_runner import ModelRunner
from alignsec.evaluation.task import Task
from alignsec.models.pixels import Images
from alignsec.spec.components import CORRUPTION
from alignsec.spec.verdicts import MENDED, ROBUST, WRONG, BudgetVerdicts, Passes

_LETTERS = {
    (True, True): ROBUST,
    (True, False): CORRUPTION.letter,
    (False, True): MENDED,
    (False, False): WRONG,
}
"""The verdict for each pair (clean image classified correctly, corrupted image classified correctly)."""


def evaluate(
    task: Task, resume_from: Evaluation | None = None, memory_bytes: int | None = None
) -> Iterator[Evaluation]:
    """Evaluate a task under a corruption.

    Args:
        task: The classifier, the clean images and the corrupted images.
        resume_from: An earlier evaluation of the same task. An unfinished one is ignored: starting again costs
            less.
        memory_bytes: Bytes that the process may use in total; None if it has no limit.

    Yields:
        The evaluation after the clean images and after the corrupted images.

    Raises:
        ValueError: If images are outside [0,1], have no label, or have no corrupted form of the same shape.
        ModelError: If logits are not finite or a label is outside the model's classes.
    """
    corrupted = task.corrupted
    check_task(task)
    if corrupted is None or corrupted.shape != task.pixels.shape:
        found = "none" if corrupted is None else _shape_text(corrupted)
        raise ValueError(
            f"corrupted images must have the shape of the clean images; expected {_shape_text(task.pixels)}, "
            f"found {found}"
        )
    if resume_from is not None and resume_from.complete:
        yield resume_from
        return
    with frozen_parameters(task.classifier):
        runner = ModelRunner(task.classifier, "fp32", task.attack.batch)
        clean = run_clean_pass(task, runner, memory_bytes)
        count = len(task.labels)
        progress = {"steps": 1, "undecided": count, "passes_left": count, "max_batch": runner.max_batch}
        first = start_evaluation(task, clean).model_copy(update=progress)
        yield first
        verdicts = _join_verdicts(runner, corrupted, task.labels, first.budgets[0])
        yield first.model_copy(update={"budgets": (verdicts,), "steps_done": 1, "undecided": 0, "passes_left": 0})


def _shape_text(images: Images) -> str:
    return " x ".join(map(str, images.shape))


def _join_verdicts(
    runner: ModelRunner, corrupted: Images, labels: Tensor, clean: BudgetVerdicts
) -> BudgetVerdicts:
    """Classify the corrupted images and return the joint verdicts of the clean and corrupted images."""
    started = time.perf_counter()
    logits = require_finite(runner.classify(corrupted))
    correct = (logits.argmax(1) == labels).tolist()
    letters = (_LETTERS[before == ROBUST, after] for before, after in zip(clean.verdicts, correct, strict=True))
    return clean.model_copy(
        update={
            "verdicts": "".join(letters),
            "seconds": time.perf_counter() - started,
            "passes": {CORRUPTION.name: Passes(forward=len(correct))},
        }
    )
