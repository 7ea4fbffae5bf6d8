"""Evaluator: runs a task with the implementation that its attack names."""

from collections.abc import Iterator

from alignsec import engine
from alignsec.evaluation import corruption_run, custom_run, reference_run
from alignsec.evaluation.evaluation import Evaluation
from alignsec.evaluation.task import OnAdversarial, Task


def evaluate(
    task: Task,
    resume_from: Evaluation | None = None,
    every_seconds: float = 5.0,
    memory_bytes: int | None = None,
    on_adversarial: OnAdversarial | None = None,
) -> Iterator[Evaluation]:
    """Evaluate a classifier under one attack at all budgets of the attack.

    Args:
        task: The classifier, the images and the attack.
        resume_from: An earlier, unfinished evaluation of the same task. The resumed run gives the same verdicts as
            an uninterrupted one.
        every_seconds: Seconds between two results of the engine. The reference cannot be interrupted while it runs
            one component on one batch; it yields after each of these steps instead. So does a custom attack.
        memory_bytes: Bytes that the process may use in total, or None if it has no limit. The reference run
            ignores it.
        on_adversarial: Called with each confirmed adversarial example, see `alignsec.engine.Settings`.

    Yields:
        The evaluation after the clean images and then at intervals. The last one is complete.

    Raises:
        ModelError: If the model returns no usable logits, or a label is outside its classes.
        CustomAttackError: If a custom attack fails or returns no usable images.
    """
    if task.attack.level_kind == "severity":
        return corruption_run.evaluate(task, resume_from, memory_bytes)
    if task.attack.is_custom:
        if task.custom is None:
            raise ValueError(f"{task.attack.method} is a custom attack; pass its function")
        return custom_run.evaluate(task, task.custom, resume_from, memory_bytes, on_adversarial)
    if task.attack.implementation == "reference":
        return reference_run.evaluate(task, resume_from, on_adversarial)
    settings = engine.Settings(
        slots=task.attack.batch,
        seconds_between_yields=every_seconds,
        memory_bytes=memory_bytes,
        on_adversarial=on_adversarial,
    )
    return engine.evaluate(task, resume_from, settings)
