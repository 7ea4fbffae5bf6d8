"""Reference run: evaluates a task with pyautoattack, in steps after which it can be resumed.

The tests compare the engine with this run.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pkgutil import resolve_name

from torch.nn.functional import cross_entropy

from alignsec.evaluation.evaluation import AdversarialImage, Evaluation
from alignsec.evaluation.judge import confirm, distances
from alignsec.evaluation.passes.clean_pass import run_clean_pass, start_evaluation
from alignsec.evaluation.passes.model_runner import ModelRunner
from alignsec.evaluation.passes.warnings import find_flat_images
from alignsec.evaluation.task import OnAdversarial, Task
from alignsec.models.classifier import Classifier
from alignsec.spec.attack import Attack
from alignsec.spec.components import COMPONENTS, Reference
from alignsec.spec.verdicts import ROBUST, BudgetVerdicts, Passes

_GRADIENT_IMAGES = 16
"""Number of clean images whose gradient is computed, to warn if it is zero."""


@dataclass(frozen=True)
class Step:
    """One component on one batch at one budget: the smallest unit of work whose result is saved."""

    budget: int
    """Index into the attack's budgets."""
    images: slice
    component: str


def evaluate(
    task: Task, resume_from: Evaluation | None = None, on_adversarial: OnAdversarial | None = None
) -> Iterator[Evaluation]:
    """Evaluate a task with the reference implementation.

    Args:
        task: The classifier, the images and the attack.
        resume_from: An earlier, unfinished evaluation of the same task. The resumed run gives the same verdicts as
            an uninterrupted one.
        on_adversarial: Called with each confirmed adversarial example. The reference reports neither target nor
            step; both are 0.

    Yields:
        The evaluation after the clean pass and after each step. The last one is complete.

    Raises:
        ModelError: If logits of clean images are not finite or a label is outside the model's classes.
    """
    evaluation = resume_from or _classify_clean_images(task)
    attack = task.attack
    plan = _plan_steps(attack, len(task.labels), evaluation.classes)
    evaluation = _update_progress(evaluation, attack, plan, evaluation.steps_done)
    yield evaluation
    for done, step in enumerate(plan[evaluation.steps_done :], start=evaluation.steps_done + 1):
        budgets = list(evaluation.budgets)
        limited = _limit_targets(attack, step.component, evaluation.classes)
        budgets[step.budget] = _run_step(task, limited, step, budgets[step.budget], on_adversarial)
        evaluation = _update_progress(
            evaluation.model_copy(update={"budgets": tuple(budgets)}), attack, plan, done
        )
        yield evaluation


def _classify_clean_images(task: Task) -> Evaluation:
    """Return the evaluation after the clean pass, with the warnings that the reference itself does not give."""
    runner = ModelRunner(task.classifier, "fp32", task.attack.batch)
    started = start_evaluation(task, run_clean_pass(task, runner, measure=False))
    if not any(COMPONENTS[name].gradient for name in task.attack.components_for(started.classes)):
        return started
    images, labels = task.pixels[:_GRADIENT_IMAGES], task.labels[:_GRADIENT_IMAGES]
    result = runner.forward_backward(
        images, lambda batch, logits: cross_entropy(logits, labels[batch], reduction="none")
    )
    assert result.gradients is not None  # noqa: S101 - forward_backward computes them
    passes = Passes(
        forward=started.clean_passes.forward + len(images), backward=started.clean_passes.backward + len(images)
    )
    notes = (*started.notes, *find_flat_images(result.gradients))
    return started.model_copy(update={"clean_passes": passes, "notes": notes})


def _update_progress(evaluation: Evaluation, attack: Attack, plan: list[Step], done: int) -> Evaluation:
    """Return the evaluation with its counts of steps, undecided verdicts and remaining passes updated."""
    passes_left = 0
    undecided: set[tuple[int, int]] = set()
    for step in plan[done:]:
        robust = _find_robust(evaluation.budgets[step.budget], step)
        undecided.update((step.budget, index) for index in robust)
        limited = _limit_targets(attack, step.component, evaluation.classes)
        passes_left += len(robust) * _reference(step.component).most_forward_passes(
            limited.parameters(step.component), limited.norm or "Linf"
        )
    counts = {"steps": len(plan), "steps_done": done, "undecided": len(undecided), "passes_left": passes_left}
    return evaluation.model_copy(update=counts)


def _plan_steps(attack: Attack, image_count: int, classes: int) -> list[Step]:
    """Return the steps in order of budget, batch and component. A budget of 0 has none."""
    return [
        Step(index, slice(start, start + attack.batch), component)
        for index, budget in enumerate(attack.budgets)
        if budget.exact > 0
        for start in range(0, image_count, attack.batch)
        for component in attack.components_for(classes)
    ]


def _limit_targets(attack: Attack, component: str, classes: int) -> Attack:
    """Return the attack with at most as many targets for a component as the model has other classes."""
    return attack.model_copy(update={"targets": min(attack.parameter_value("targets", component), classes - 1)})


def _reference(component: str) -> Reference:
    """Return the reference implementation, which a validated attack has for each of its components."""
    reference = COMPONENTS[component].reference
    assert reference is not None  # noqa: S101 - Attack checks it
    return reference


def _find_robust(verdicts: BudgetVerdicts, step: Step) -> list[int]:
    """Return the indices of the images of a step's batch that no component has broken."""
    letters = verdicts.verdicts
    return [index for index in range(*step.images.indices(len(letters))) if letters[index] == ROBUST]


def _run_step(
    task: Task, attack: Attack, step: Step, before: BudgetVerdicts, on_adversarial: OnAdversarial | None
) -> BudgetVerdicts:
    """Run one component on the images of one batch that are still robust."""
    assert attack.norm is not None  # noqa: S101 - only the clean attack has no norm, and it has no steps
    started, passes_before = time.perf_counter(), task.classifier.passes
    letters = list(before.verdicts)
    robust = _find_robust(before, step)
    largest, rejected = before.largest_distance, before.rejected
    if robust:
        clean, labels, eps = task.pixels[robust], task.labels[robust], float(before.eps)
        adversarial = resolve_name(_reference(step.component).run)(
            task.classifier, clean, labels, attack, eps, task.seed
        )
        broken = confirm(task.classifier, clean, adversarial, labels, attack.norm, eps)
        claimed = (adversarial != clean).flatten(1).any(1)
        rejected += int((claimed & ~broken).sum())
        measured = distances(clean, adversarial, attack.norm)
        for row, distance in enumerate(measured.tolist()):
            if not broken[row]:
                continue
            letters[robust[row]] = COMPONENTS[step.component].letter
            largest = max(largest, distance)
            if on_adversarial:
                found = AdversarialImage(
                    budget=step.budget,
                    image=robust[row],
                    component=step.component,
                    target=0,
                    step=0,
                    distance=distance,
                )
                on_adversarial(found, adversarial[row])
    earlier = before.passes.get(step.component, Passes())
    passes = _add_passes(earlier, task.classifier, passes_before)
    return before.model_copy(
        update={
            "verdicts": "".join(letters),
            "largest_distance": largest,
            "rejected": rejected,
            "seconds": before.seconds + time.perf_counter() - started,
            "passes": {**before.passes, step.component: passes},
        }
    )


def _add_passes(earlier: Passes, classifier: Classifier, start: Passes) -> Passes:
    """Return `earlier` plus the passes that the classifier has made since it had counted `start`."""
    now = classifier.passes
    return Passes(
        forward=earlier.forward + now.forward - start.forward,
        backward=earlier.backward + now.backward - start.backward,
    )
