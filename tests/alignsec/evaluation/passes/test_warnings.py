"""Warnings and notes of an evaluation."""

from collections import Counter

import pytest
import torch
from torch import nn

from alignsec import evaluator
from alignsec.evaluation.passes import warnings
from alignsec.evaluation.task import Task
from alignsec.spec.deviations import describe_deviations_for
from alignsec.spec.verdicts import BudgetVerdicts, Passes
from tests.alignsec.engine import small


def budget(eps, verdicts, *ran):
    passes = {component: Passes(forward=1) for component in ran}
    return BudgetVerdicts(eps=eps, verdicts=verdicts, largest_distance=0, seconds=0, passes=passes)


def finished(network, attack=None, **settings):
    pixels, labels = (part[:6] for part in small.digits())
    return small.finished(Task(small.classifier(network), pixels, labels, attack or small.attack(), 0), **settings)


def test_softmax_gives_warning():
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 10), nn.Softmax(1))
    assert any("softmax" in note for note in finished(network).notes)
    assert not any("softmax" in note for note in finished(network[:2]).notes)


def test_randomised_model_gives_warning():
    class Noisy(nn.Linear):
        def forward(self, images):
            """Return logits with noise."""
            logits = super().forward(images.flatten(1))
            return logits + 0.1 * torch.rand_like(logits)

    assert any("randomised" in note for note in finished(Noisy(64, 10)).notes)
    assert not any("randomised" in note for note in finished(small.network(False)).notes)


@pytest.mark.parametrize("implementation", ["alignsec", "reference"])
@pytest.mark.parametrize("count", [1, 2, 6])
@pytest.mark.parametrize("kind", ["mean", "first", "last"])
def test_model_that_depends_on_its_batch_gives_warning(kind: str, count: int, implementation: str):
    class Relative(nn.Linear):
        def forward(self, images):
            """Return logits of the differences from another image of the batch."""
            others = {"mean": images.mean(0), "first": images[0], "last": images[-1]}
            return super().forward((images - 0.5 * others[kind]).flatten(1))

    torch.manual_seed(0)
    notes = first_notes(Relative(64, 10), count, implementation)
    assert any("depend on the other images of its batch" in note for note in notes)
    assert not any("randomised" in note for note in notes)


@pytest.mark.parametrize("implementation", ["alignsec", "reference"])
def test_ordinary_model_gives_no_warning(implementation: str):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    notes = first_notes(network, 6, implementation)
    assert not any("batch" in note or "randomised" in note or "masked" in note for note in notes)


def test_randomised_and_quantised_models_give_warnings_under_the_reference():
    class Noisy(nn.Linear):
        def forward(self, images):
            """Return logits with noise."""
            logits = super().forward(images.flatten(1))
            return logits + 0.1 * torch.rand_like(logits)

    class Quantised(nn.Linear):
        def forward(self, images):
            """Return logits of rounded images, whose gradient is zero."""
            return super().forward((8 * images).round().flatten(1))

    assert any("randomised" in note for note in first_notes(Noisy(64, 10), 6, "reference"))
    notes = first_notes(Quantised(64, 10), 6, "reference")
    assert "the gradient of the loss is zero at 6 of 6 clean images: gradients may be masked" in notes


def first_notes(network: nn.Module, count: int, implementation: str) -> tuple[str, ...]:
    """Return the notes after the clean pass."""
    pixels, labels = (part[:count] for part in small.digits())
    attack = small.attack().model_copy(update={"implementation": implementation, "batch": 16})
    return next(evaluator.evaluate(Task(small.classifier(network), pixels, labels, attack, 0))).notes


def test_missed_images_give_warning():
    found = [budget("1/255", "cRWR"), budget("2/255", "RRWR"), budget("3/255", "ccWR")]
    assert warnings.find_search_warnings(Counter(), found) == [
        "1 images are broken at one budget and robust at a larger one: the search missed adversarial "
        "examples there"
    ]


def test_images_broken_only_by_square_give_warning():
    both, alone = budget("1/255", "sRRR", "apgd-ce", "square"), budget("1/255", "sRRR", "square")
    assert "Square broke 1 images" in warnings.find_search_warnings(Counter(), [both])[0]
    assert warnings.find_search_warnings(Counter(), [alone]) == []


def test_deviations_from_standard_are_noted():
    standard = {"steps": 100, "targets": 9}
    attack = small.attack("apgd-t", "L2", ("1", "2"), **standard)
    assert describe_deviations_for(attack, 1000) == []
    carried, few = describe_deviations_for(small.attack("apgd-t", "L2", ("1", "2"), carry=True, **standard), 3)
    assert few == "apgd-t left out: it needs 4 classes, the model has 3"
    assert carried.startswith("not the standard attack: images broken at one budget count")
    assert describe_deviations_for(attack, 5) == ["4 target classes instead of 9: the model has 5 classes"]


def test_carry_saves_passes_and_breaks_no_fewer_images():
    attacks = [small.attack("apgd-ce", "Linf", ("0.15", "0.2", "0.3"), carry=carry) for carry in (False, True)]
    apart, carried = (finished(small.network(False), attack, slots=1) for attack in attacks)

    def passes(evaluation):
        return sum(one.forward for budget in evaluation.budgets for one in budget.passes.values())

    assert passes(carried) < passes(apart)
    for a, b in zip(apart.budgets, carried.budgets, strict=True):
        assert b.robust <= a.robust
    assert all(one.largest_distance <= float(one.eps) + 1e-6 for one in carried.budgets)


def test_adversarial_images_have_component_and_distance():
    evaluation = finished(small.network(False), small.attack("autoattack", "Linf", ("0.1", "0.3")))
    letters = {"apgd-ce": "c", "apgd-t": "t", "fab-t": "f", "square": "s"}
    assert evaluation.adversarial_images
    for one in evaluation.adversarial_images:
        verdicts = evaluation.budgets[one.budget]
        assert verdicts.verdicts[one.image] == letters[one.component]
        assert 0 < one.distance <= verdicts.largest_distance <= float(verdicts.eps) + 1e-6
    broken = sum(letter in "ctfs" for each in evaluation.budgets for letter in each.verdicts)
    assert len(evaluation.adversarial_images) == broken
