"""A run of a corruption on a task: the clean images and the corrupted ones, each classified once."""

import time
from collections.abc import Iterator

from torch import Tensor

from alignsec.evaluation.evaluation import Evaluation
from alignsec.evaluation.passes import clean_pass
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
"""By whether the clean image is classified correctly, and the corrupted one."""


def evaluate(
    task: Task, resume_from: Evaluation | None = None, memory_bytes: int | None = None
) -> Iterator[Evaluation]:
    """Yield what is known after the clean images and after the corrupted ones.

    resume_from: an evaluation of the same task. An unfinished one is ignored: starting again costs less.
    Raises ValueError for images outside [0,1], without labels, or not corrupted; ModelError for logits not
    finite or labels outside the classes.
    """
    corrupted = task.corrupted
    clean_pass.check_task(task)
    if corrupted is None or corrupted.shape != task.pixels.shape:
        raise ValueError("a corruption needs every image twice, clean and corrupted, of one size")
    if resume_from is not None and resume_from.complete:
        yield resume_from
        return
    with frozen_parameters(task.classifier):
        passage = ModelRunner(task.classifier, "fp32", task.attack.batch)
        opened = clean_pass.run_clean_pass(task, passage, memory_bytes)
        logits = opened.logits
        begun = Evaluation(
            classes=logits.shape[1],
            clean_top5=clean_pass.top5_flags(logits, task.labels),
            clean_passes=opened.passes,
            budgets=clean_pass.clean_verdicts(task.attack, logits, task.labels),
            steps=1,
            undecided=len(task.labels),
            passes_left=len(task.labels),
            notes=tuple(opened.warnings),
            max_batch=passage.max_batch,
        )
        yield begun
        verdicts = _verdicts(passage, corrupted, task.labels, begun.budgets[0])
        yield begun.model_copy(update={"budgets": (verdicts,), "steps_done": 1, "undecided": 0, "passes_left": 0})


def _verdicts(passage: ModelRunner, corrupted: Images, labels: Tensor, clean: BudgetVerdicts) -> BudgetVerdicts:
    """The clean verdicts joined with those of the corrupted images."""
    started = time.perf_counter()
    logits = clean_pass.require_finite(passage.classify(corrupted))
    right = (logits.argmax(1) == labels).tolist()
    letters = (_LETTERS[before == ROBUST, after] for before, after in zip(clean.verdicts, right, strict=True))
    return clean.model_copy(
        update={
            "verdicts": "".join(letters),
            "seconds": time.perf_counter() - started,
            "passes": {CORRUPTION.name: Passes(forward=len(right))},
        }
    )
