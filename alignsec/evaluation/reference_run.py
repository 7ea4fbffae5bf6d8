"""A run of the reference on a task, in steps that can be stopped and taken up: the oracle of the engine."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pkgutil import resolve_name

import torch

from alignsec.evaluation.evaluation import Evaluation
from alignsec.evaluation.judge import confirm, distances
from alignsec.evaluation.passes import clean_pass, warnings
from alignsec.evaluation.task import Task
from alignsec.models.classifier import Classifier
from alignsec.models.errors import ModelError
from alignsec.spec.attack import Attack
from alignsec.spec.components import COMPONENTS, Reference
from alignsec.spec.verdicts import ROBUST, WRONG, BudgetVerdicts, Passes


@dataclass(frozen=True)
class Step:
    """The smallest piece of work whose result is kept."""

    budget: int
    """Index into the attack's budgets."""
    images: slice
    component: str


def evaluate(task: Task, resume_from: Evaluation | None = None) -> Iterator[Evaluation]:
    """Yield what is known after the clean images and after each step; the last one is complete.

    resume_from: an unfinished evaluation of the same task; the resumed run ends with the same verdicts.
    Raises ModelError if the logits of clean images are not finite or there are labels outside the classes.
    """
    evaluation = resume_from or _clean(task)
    attack = task.attack
    plan = _steps(attack, len(task.labels), evaluation.classes)
    evaluation = _at(evaluation, attack, plan, evaluation.steps_done)
    yield evaluation
    for done, step in enumerate(plan[evaluation.steps_done :], start=evaluation.steps_done + 1):
        budgets = list(evaluation.budgets)
        asked = _within(attack, step.component, evaluation.classes)
        budgets[step.budget] = _run(task, asked, step, budgets[step.budget])
        evaluation = _at(evaluation.model_copy(update={"budgets": tuple(budgets)}), attack, plan, done)
        yield evaluation


def _at(evaluation: Evaluation, attack: Attack, plan: list[Step], done: int) -> Evaluation:
    """The evaluation with what is left of the plan counted afresh."""
    left = 0
    undecided: set[tuple[int, int]] = set()
    for step in plan[done:]:
        letters = evaluation.budgets[step.budget].verdicts
        robust = [index for index in range(*step.images.indices(len(letters))) if letters[index] == ROBUST]
        undecided.update((step.budget, index) for index in robust)
        asked = _within(attack, step.component, evaluation.classes)
        left += len(robust) * _reference(step.component).most_forward_passes(
            asked.parameters(step.component), asked.norm or "Linf"
        )
    counted = {"steps": len(plan), "steps_done": done, "undecided": len(undecided), "passes_left": left}
    return evaluation.model_copy(update=counted)


def _steps(attack: Attack, count: int, classes: int) -> list[Step]:
    """Budget by budget, batch by batch, component by component; nothing to search at a budget of 0."""
    return [
        Step(index, slice(start, start + attack.batch), component)
        for index, budget in enumerate(attack.budgets)
        if budget.exact > 0
        for start in range(0, count, attack.batch)
        for component in attack.run_on(classes)
    ]


def _within(attack: Attack, component: str, classes: int) -> Attack:
    """The attack with no more targets for a component than a model has other classes."""
    return attack.model_copy(update={"targets": min(attack.number("targets", component), classes - 1)})


def _reference(component: str) -> Reference:
    """Return the reference implementation, which a validated attack has for each of its components."""
    reference = COMPONENTS[component].reference
    assert reference is not None  # noqa: S101 - Attack checks it
    return reference


@torch.no_grad()
def _clean(task: Task) -> Evaluation:
    """Classify the clean images."""
    before = task.classifier.passes
    lots = range(0, len(task.pixels), task.attack.batch)
    logits = torch.cat([task.classifier(task.pixels[start : start + task.attack.batch]) for start in lots])
    if not logits.isfinite().all():
        bad = int((~logits.isfinite().all(1)).sum())
        raise ModelError(
            f"the logits of {bad} of {len(logits)} clean images are not finite; are the weights sound?"
        )
    classes = logits.shape[1]
    if int(task.labels.max()) >= classes:
        raise ModelError(f"label {int(task.labels.max())} is outside the model's {classes} classes")
    correct = logits.argmax(1) == task.labels
    verdicts = "".join(ROBUST if right else WRONG for right in correct.tolist())
    return Evaluation(
        classes=classes,
        clean_top5=clean_pass.top5_flags(logits, task.labels),
        clean_passes=_since(task.classifier, before),
        budgets=tuple(
            BudgetVerdicts(eps=eps, verdicts=verdicts, largest_distance=0, seconds=0, passes={})
            for eps in task.attack.budgets
        ),
        steps=0,
        undecided=0,
        passes_left=0,
        notes=(*task.attack.deviations_on(classes), *warnings.find_model_warnings(logits, logits)),
    )


def _run(task: Task, attack: Attack, step: Step, known: BudgetVerdicts) -> BudgetVerdicts:
    """One component on the still robust images of one batch."""
    assert attack.norm is not None  # noqa: S101 - only the clean attack has none, and it has no steps
    started, before = time.perf_counter(), task.classifier.passes
    letters = list(known.verdicts)
    robust = [index for index in range(*step.images.indices(len(letters))) if letters[index] == ROBUST]
    largest, rejected = known.largest_distance, known.rejected
    if robust:
        clean, labels, eps = task.pixels[robust], task.labels[robust], float(known.eps)
        adversarial = resolve_name(_reference(step.component).run)(
            task.classifier, clean, labels, attack, eps, task.seed
        )
        broken = confirm(task.classifier, clean, adversarial, labels, attack.norm, eps)
        claimed = (adversarial != clean).flatten(1).any(1)
        rejected += int((claimed & ~broken).sum())
        far = distances(clean, adversarial, attack.norm)
        for index, is_broken, distance in zip(robust, broken.tolist(), far.tolist(), strict=True):
            if is_broken:
                letters[index] = COMPONENTS[step.component].letter
                largest = max(largest, distance)
    return known.model_copy(
        update={
            "verdicts": "".join(letters),
            "largest_distance": largest,
            "rejected": rejected,
            "seconds": known.seconds + time.perf_counter() - started,
            "passes": {
                **known.passes,
                step.component: _sum(known, step.component, _since(task.classifier, before)),
            },
        }
    )


def _since(classifier: Classifier, before: Passes) -> Passes:
    now = classifier.passes
    return Passes(forward=now.forward - before.forward, backward=now.backward - before.backward)


def _sum(known: BudgetVerdicts, component: str, more: Passes) -> Passes:
    old = known.passes.get(component, Passes())
    return Passes(forward=old.forward + more.forward, backward=old.backward + more.backward)
