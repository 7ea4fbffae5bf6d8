"""Custom run: runs a user's attack batch by batch and judges its images, as the judge does for every attack."""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from alignsec.evaluation.custom_attack import CustomAttack, make_seed
from alignsec.evaluation.evaluation import AdversarialImage, Evaluation
from alignsec.evaluation.judge import Judgement, judge
from alignsec.evaluation.passes import memory
from alignsec.evaluation.passes.clean_pass import check_task, run_clean_pass, start_evaluation
from alignsec.evaluation.passes.frozen import frozen_parameters
from alignsec.evaluation.passes.model_runner import ModelRunner
from alignsec.evaluation.passes.warnings import find_search_warnings
from alignsec.evaluation.task import OnAdversarial, Task
from alignsec.models.errors import is_out_of_memory
from alignsec.spec.components import CUSTOM
from alignsec.spec.verdicts import ROBUST, BudgetVerdicts, Passes


@dataclass(frozen=True)
class Cell:
    """One image that the attack still has to perturb."""

    image: int
    budget: int | None
    """Index into the attack's budgets; None if the attack searches for the smallest perturbation."""


def evaluate(
    task: Task,
    custom: CustomAttack,
    resume_from: Evaluation | None = None,
    memory_bytes: int | None = None,
    on_adversarial: OnAdversarial | None = None,
) -> Iterator[Evaluation]:
    """Evaluate a task with a user's attack.

    Args:
        task: The classifier, the images and the attack.
        custom: The user's attack.
        resume_from: An earlier, unfinished evaluation of the same task. The resumed run uses the same batches if
            they still fit in memory.
        memory_bytes: Bytes that the process may use in total; None if it has no limit.
        on_adversarial: Called with each confirmed adversarial example. A user's attack reports neither target nor
            step; both are 0.

    Yields:
        The evaluation after the clean pass and after each batch. The last one is complete.

    Raises:
        ValueError: If the images or labels are invalid.
        ModelError: If the model returns no usable logits, or a label is outside its classes.
        CustomAttackError: If the attack fails or returns no usable images.
    """
    check_task(task)
    with frozen_parameters(task.classifier):
        evaluation = _start(task, memory_bytes) if resume_from is None else _refit(task, resume_from, memory_bytes)
        cells = _list_cells(task, custom, evaluation)
        run = _Run(task, custom, on_adversarial)
        yield _update_progress(evaluation, cells, task.classifier.passes)
        while evaluation.steps_done < len(cells):
            evaluation = run.run_batch(evaluation, cells)
            if evaluation.steps_done == len(cells):
                notes = (*evaluation.notes, *_final_notes(evaluation))
                evaluation = evaluation.model_copy(update={"notes": notes})
            yield _update_progress(evaluation, cells, task.classifier.passes)


def _start(task: Task, memory_bytes: int | None) -> Evaluation:
    runner = ModelRunner(task.classifier, "fp32", task.attack.batch)
    evaluation = start_evaluation(task, run_clean_pass(task, runner, memory_bytes))
    return evaluation.model_copy(update={"max_batch": runner.max_batch})


def _refit(task: Task, evaluation: Evaluation, memory_bytes: int | None) -> Evaluation:
    """Return the evaluation with its batch size, or with a smaller one if less memory is available now."""
    fitting = memory.fit_batch_size(evaluation.max_batch, evaluation.image_bytes, task.pixels[0], memory_bytes)
    return evaluation.model_copy(update={"max_batch": fitting})


def _list_cells(task: Task, custom: CustomAttack, evaluation: Evaluation) -> list[Cell]:
    """Return the cells in the order of the run: by budget, then by image. The budget 0 has none."""
    # An image that is broken now was right when clean.
    right = [
        image for image, letter in enumerate(evaluation.budgets[-1].verdicts) if letter in {ROBUST, CUSTOM.letter}
    ]
    attacked = [index for index, budget in enumerate(task.attack.budgets) if budget.exact > 0]
    if custom.minimizes:
        return [Cell(image, None) for image in right] if attacked else []
    return [Cell(image, index) for index in attacked for image in right]


@dataclass(frozen=True)
class _Run:
    """The inputs of a run."""

    task: Task
    custom: CustomAttack
    on_adversarial: OnAdversarial | None

    def run_batch(self, evaluation: Evaluation, cells: list[Cell]) -> Evaluation:
        """Attack the next batch; when memory runs out, try again with half as many images."""
        first = cells[evaluation.steps_done]
        following = cells[evaluation.steps_done : evaluation.steps_done + evaluation.max_batch]
        batch = [cell.image for cell in following if cell.budget == first.budget]
        try:
            return self._attack(evaluation, batch, first.budget)
        except (RuntimeError, MemoryError) as error:
            if len(batch) == 1 or not is_out_of_memory(error):
                raise
        # Outside the except block, so that the error and the tensors in its frames are already freed.
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return evaluation.model_copy(update={"max_batch": len(batch) // 2})

    def _attack(self, evaluation: Evaluation, batch: list[int], index: int | None) -> Evaluation:
        """Call the attack on one batch and judge its images at one budget, or at every budget."""
        task, norm = self.task, self.task.attack.norm
        assert norm is not None  # noqa: S101 - every attack with budgets has a norm
        started, before = time.perf_counter(), task.classifier.passes
        clean, labels = task.pixels[batch], task.labels[batch]
        budgets = task.attack.budgets
        eps = None if index is None else float(budgets[index])
        # A search for the smallest perturbation has the seed of the budget 0.
        exact = "0" if index is None else str(budgets[index].exact)
        seeds = [make_seed(task.seed, image, exact) for image in clean]
        adversarial = self.custom.perturb(task.classifier, clean, labels, norm, eps, seeds)
        judgement = judge(task.classifier, clean, adversarial, labels, norm)
        now = task.classifier.passes
        spent = Passes(forward=now.forward - before.forward, backward=now.backward - before.backward)
        # What a search for all budgets costs is counted at the first one.
        cost = (spent, time.perf_counter() - started)
        results, found = list(evaluation.budgets), list(evaluation.adversarial_images)
        for at, budget in enumerate(budgets):
            if at == index or (index is None and budget.exact > 0):
                counts = judgement.counts(float(budget), norm, clean[0])
                images = self._list_adversarial(at, batch, counts, judgement, adversarial)
                rejected = judgement.count_rejected(None if index is None else counts)
                results[at] = _add_results(results[at], images, rejected, cost)
                found += images
                cost = (Passes(), 0.0)
        done = evaluation.steps_done + len(batch)
        update = {"budgets": tuple(results), "adversarial_images": tuple(found), "steps_done": done}
        return evaluation.model_copy(update=update)

    def _list_adversarial(
        self, budget: int, batch: list[int], counts: Tensor, judgement: Judgement, adversarial: Tensor
    ) -> list[AdversarialImage]:
        """Return the confirmed images of a batch at a budget, and report each of them."""
        found = []
        for row, distance in enumerate(judgement.distances.tolist()):
            if counts[row]:
                one = AdversarialImage(
                    budget=budget, image=batch[row], component=CUSTOM.name, target=0, step=0, distance=distance
                )
                found.append(one)
                if self.on_adversarial:
                    self.on_adversarial(one, adversarial[row])
        return found


def _add_results(
    before: BudgetVerdicts, broken: list[AdversarialImage], rejected: int, cost: tuple[Passes, float]
) -> BudgetVerdicts:
    """Return a budget's verdicts after a batch."""
    letters = list(before.verdicts)
    for one in broken:
        letters[one.image] = CUSTOM.letter
    passes, seconds = cost
    earlier = before.passes.get(CUSTOM.name, Passes())
    total = Passes(forward=earlier.forward + passes.forward, backward=earlier.backward + passes.backward)
    return before.model_copy(
        update={
            "verdicts": "".join(letters),
            "largest_distance": max([before.largest_distance, *(one.distance for one in broken)]),
            "rejected": before.rejected + rejected,
            "seconds": before.seconds + seconds,
            "passes": {CUSTOM.name: total},
        }
    )


def _update_progress(evaluation: Evaluation, cells: list[Cell], made: Passes) -> Evaluation:
    """Return the evaluation with its counts of steps, undecided verdicts and remaining passes.

    The remaining passes are those of the mean image so far, because nothing bounds the passes of a user's attack.
    """
    done, left = evaluation.steps_done, cells[evaluation.steps_done :]
    attacked = sum(budget.eps.exact > 0 for budget in evaluation.budgets)
    undecided = sum(attacked if cell.budget is None else 1 for cell in left)
    passes_left = round(len(left) * made.forward / done) if done else len(left)
    counts = {"steps": len(cells), "undecided": undecided, "passes_left": passes_left}
    return evaluation.model_copy(update=counts)


def _final_notes(evaluation: Evaluation) -> list[str]:
    """Return the notes that a reader of the results needs: the batch size, and images that do not count."""
    notes = [
        f"the custom attack ran in batches of at most {evaluation.max_batch} images, on which its random numbers "
        "may depend"
    ]
    notes += [
        f"at eps {budget.eps}, {budget.rejected} misclassified images of the custom attack are outside the budget "
        "or [0,1] and do not count"
        for budget in evaluation.budgets
        if budget.rejected
    ]
    return [*notes, *find_search_warnings(Counter(), evaluation.budgets)]
