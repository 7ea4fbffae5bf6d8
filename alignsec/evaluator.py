"""The evaluator: a classifier under one attack at all its budgets, by the implementation the attack names."""

from collections.abc import Iterator

from alignsec import engine
from alignsec.evaluation import corruption_run, reference_run
from alignsec.evaluation.evaluation import Evaluation
from alignsec.evaluation.task import Task


def evaluate(
    task: Task, resume_from: Evaluation | None = None, every_seconds: float = 5.0, memory_bytes: int | None = None
) -> Iterator[Evaluation]:
    """Yield what is known after the clean images and then every few seconds; the last one is complete.

    The reference cannot be stopped within a component on a batch, and yields after each.

    memory_bytes: what the process may take in all, if it was given a limit; our engine keeps to it.
    resume_from: an unfinished evaluation of the same task; the resumed run ends with the same verdicts.
    Raises ModelError if the model gives no usable logits or there are labels outside its classes.
    """
    if task.attack.method == "corruption":
        return corruption_run.evaluate(task, resume_from, memory_bytes)
    if task.attack.implementation == "reference":
        return reference_run.evaluate(task, resume_from)
    settings = engine.Settings(
        slots=task.attack.batch, seconds_between_yields=every_seconds, memory_bytes=memory_bytes
    )
    return engine.evaluate(task, resume_from, settings)
