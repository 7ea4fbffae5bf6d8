"""Custom attacks are judged as every attack, resume between batches, and fail with a clear reason."""

import random

import numpy as np
import pytest
import torch

from alignsec import evaluator
from alignsec.evaluation import custom_run
from alignsec.evaluation.custom_attack import CustomAttack, CustomAttackError
from alignsec.evaluation.evaluation import Evaluation
from alignsec.evaluation.task import Task
from alignsec.spec.verdicts import ROBUST
from tests.alignsec.evaluation.custom_attacks import global_noise, linear_task, noise, sign_step, smallest


def finish(task: Task, resume_from: Evaluation | None = None) -> Evaluation:
    *_, last = evaluator.evaluate(task, resume_from)
    assert last.complete
    assert last.undecided == 0
    return last


def letters(evaluation: Evaluation) -> list[str]:
    return [budget.verdicts for budget in evaluation.budgets]


def margins(task: Task) -> torch.Tensor:
    """Return the smallest Linf distance to the boundary of each image: margin over L1 norm of the slope."""
    weights = task.classifier.network[1].weight.detach()
    logits = task.classifier(task.pixels).detach()
    own = logits.gather(1, task.labels[:, None])[:, 0] - logits.gather(1, 1 - task.labels[:, None])[:, 0]
    return own / (weights[0] - weights[1]).abs().sum()


@pytest.mark.parametrize("function", [sign_step, smallest])
def test_verdicts_are_those_of_the_closed_form(function):
    """Both forms of a callable break exactly the images whose distance to the boundary is within the budget."""
    task = linear_task(function)
    expected = [
        "".join("W" if one < 0 else "p" if one * 1.001 <= eps else ROBUST for one in margins(task).tolist())
        for eps in (0.02, 0.1)
    ]
    assert "p" in expected[0]
    assert ROBUST in expected[0]
    evaluation = finish(task)
    assert letters(evaluation) == expected
    assert evaluation.budgets[1].largest_distance <= 0.1 + 1e-6
    assert {one.component for one in evaluation.adversarial_images} == {"custom"}


def test_queries_and_gradients_are_counted_per_budget():
    """sign_step classifies each image once and takes one gradient; the judge classifies it once more."""
    task = linear_task(sign_step)
    for budget in finish(task).budgets:
        assert (budget.passes["custom"].forward, budget.passes["custom"].backward) == (22, 11)


def test_a_search_for_the_smallest_perturbation_runs_once_for_all_budgets():
    passes = [budget.passes["custom"].forward for budget in finish(linear_task(smallest)).budgets]
    assert passes == [22, 0]


def test_images_outside_the_budget_do_not_count_and_are_stated():
    """An attack that ignores its eps breaks nothing at a small budget, and the record says so."""

    def wide(classifier, images, labels, norm, eps):
        return sign_step(classifier, images, labels, norm, 0.25)

    evaluation = finish(linear_task(wide, eps=("0.01",)))
    assert set(evaluation.budgets[0].verdicts) == {"W", ROBUST}
    assert evaluation.budgets[0].rejected == 11
    assert any("11 misclassified images" in note and "do not count" in note for note in evaluation.notes)


def test_images_outside_the_pixel_range_do_not_count():
    def outside(classifier, images, labels, norm):
        return smallest(classifier, images, labels, norm) - 2

    evaluation = finish(linear_task(outside, eps=("3/10",)))
    assert "p" not in evaluation.budgets[0].verdicts


def test_a_minimal_perturbation_beyond_a_budget_is_not_rejected():
    assert [budget.rejected for budget in finish(linear_task(smallest)).budgets] == [0, 0]


def test_seeds_make_results_independent_of_batches_and_order():
    """Verdicts with one image per batch are those of one batch, also in reverse order."""
    whole = letters(finish(linear_task(noise, eps=("0.3",))))
    assert letters(finish(linear_task(noise, eps=("0.3",), batch=1))) == whole
    task = linear_task(noise, eps=("0.3",))
    reverse = Task(
        task.classifier, task.pixels.flip(0), task.labels.flip(0), task.attack, task.seed, custom=task.custom
    )
    assert [one[::-1] for one in letters(finish(reverse))] == whole


def seed_generators() -> None:
    torch.manual_seed(5)
    np.random.seed(5)
    random.seed(5)


def draw_numbers() -> list[float]:
    return [float(torch.rand(1)), np.random.rand(), random.getrandbits(32)]


def test_global_generators_are_seeded_and_restored():
    """Two runs draw the same noise, and the generators of the caller continue as if there had been no run."""
    first, second = (linear_task(global_noise, eps=("0.3",)) for _ in range(2))
    seed_generators()
    expected = draw_numbers()
    seed_generators()
    verdicts = letters(finish(first))
    assert draw_numbers() == expected
    assert letters(finish(second)) == verdicts


def test_a_resumed_evaluation_gives_the_same_result():
    """Every evaluation between batches is a checkpoint: a run from each of them ends with the same verdicts."""
    task = linear_task(global_noise, eps=("0.1", "0.3"), batch=4)
    *parts, last = evaluator.evaluate(task)
    assert len(parts) == 6
    for part in parts[1:]:
        saved = Evaluation.model_validate_json(part.model_dump_json())
        resumed = finish(task, saved)
        assert letters(resumed) == letters(last)
        assert resumed.adversarial_images == last.adversarial_images
        assert resumed.notes == last.notes


def test_batches_are_halved_when_memory_runs_out():
    sizes = []

    def hungry(classifier, images, labels, norm, eps):
        sizes.append(len(images))
        if len(images) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return images.clone()

    assert finish(linear_task(hungry, eps=("0.1",))).max_batch == 2
    assert sizes == [11, 5, 2, 2, 2, 2, 2, 1]


def changed_weights(classifier, images, labels, norm, eps):
    classifier.network[1].weight.data.add_(1e-3)
    return images.clone()


def training_mode(classifier, images, labels, norm, eps):
    classifier.train()
    return images.clone()


def thawed(classifier, images, labels, norm, eps):
    classifier.requires_grad_(True)
    return images.clone()


def raises(classifier, images, labels, norm, eps):
    raise KeyError("no such key")


def not_finite(classifier, images, labels, norm, eps):
    found = images.clone()
    found[0, 0, 0, 0] = float("nan")
    return found


BAD = [
    (changed_weights, "changed_weights changed the model: values of network.1.weight"),
    (training_mode, "changed the model: training mode of the whole model"),
    (thawed, "changed the model: requires_grad of network.1.weight"),
    (raises, "raises raised KeyError: 'no such key'"),
    (not_finite, "returned NaN or infinity in 1 of 11 images"),
]
RETURNS = [
    (lambda images: images[:-1].clone(), "images of shape 10 x 1 x 4 x 4; expected 11 x 1 x 4 x 4"),
    (lambda images: images, "its input, or a view of it"),
    (lambda images: images.flip(0)[:].flip(0).clone().double(), "images of float64; expected float32"),
    (lambda images: images[:].view(11, 1, 4, 4), "its input, or a view of it"),
    (lambda images: images.clone().half(), "images of float16"),
    (lambda images: (images.clone() * 255).byte(), "images of uint8"),
    (lambda images: images.to("meta"), "images on meta; expected cpu"),
    (lambda images: images.numpy(), "returned ndarray; expected a tensor"),
    (lambda images: None, "returned NoneType"),
]


@pytest.mark.parametrize(("function", "reason"), BAD)
def test_an_invalid_attack_is_an_error_with_its_reason(function, reason):
    with pytest.raises(CustomAttackError) as caught:
        finish(linear_task(function, eps=("0.1",)))
    assert reason in str(caught.value)


@pytest.mark.parametrize(("make", "reason"), RETURNS)
def test_an_invalid_return_value_is_an_error_with_its_reason(make, reason):
    def attack(classifier, images, labels, norm, eps):
        return make(images)

    with pytest.raises(CustomAttackError) as caught:
        finish(linear_task(attack, eps=("0.1",)))
    assert reason in str(caught.value)


def test_an_attack_cannot_change_the_clean_images():
    """The attack gets a copy; the judge compares with the clean images."""

    def in_place(classifier, images, labels, norm, eps):
        return images.mul_(0).clone()

    task = linear_task(in_place, eps=("0.1",))
    before = task.pixels.clone()
    assert "p" not in finish(task).budgets[0].verdicts
    assert torch.equal(task.pixels, before)


@pytest.mark.parametrize(
    ("function", "options", "reason"),
    [
        (lambda classifier, images, labels: images, {}, "has no parameter norm"),
        (lambda classifier, images, labels, norm, step: images, {}, "needs step; set options"),
        (lambda classifier, images, labels, norm, step: images, {"stop": 1}, "did you mean step?"),
        (lambda classifier, images, labels, norm, **more: images, {"eps": 1}, "options name eps"),
    ],
)
def test_a_callable_must_accept_its_arguments(function, options, reason):
    with pytest.raises(CustomAttackError) as caught:
        CustomAttack("attack", function, options)
    assert reason in str(caught.value)


def test_no_image_that_is_right_when_clean_needs_no_call():
    def never(classifier, images, labels, norm, eps):
        raise AssertionError

    task = linear_task(never, eps=("0.1",), count=1)
    assert [one.complete for one in custom_run.evaluate(task, task.custom)] == [True]


def test_each_confirmed_example_is_reported_once():
    """The callback gets the pixels that were judged, for the examples that an outcome keeps."""
    reported = []
    task = linear_task(smallest)
    *_, last = evaluator.evaluate(task, on_adversarial=lambda found, pixels: reported.append((found, pixels)))
    assert tuple(found for found, _ in reported) == last.adversarial_images
    for found, pixels in reported:
        distance = float((pixels.double() - task.pixels[found.image].double()).abs().max())
        assert distance == pytest.approx(found.distance)
