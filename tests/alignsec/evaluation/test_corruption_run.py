"""Corruption run: joint verdicts of clean and corrupted images."""

import pytest
import torch

from alignsec import evaluator
from alignsec.evaluation.task import Task
from alignsec.models.errors import ModelError
from alignsec.models.pixels import Pixels
from alignsec.spec.attack import Attack
from tests import tiny_networks
from tests.tiny_networks import first_digits, trained_network

FOG = Attack(method="corruption", name="fog-3", corruption="fog", severity=3, generator="x 1", batch=7)


def task(corrupted: torch.Tensor | None, labels: torch.Tensor | None = None) -> Task:
    images, own = first_digits(10, 60)
    values = images.mul(255).round().byte()
    given = None if corrupted is None else Pixels(corrupted)
    network = tiny_networks.classifier(trained_network())
    return Task(network, Pixels(values), own if labels is None else labels, FOG, 0, given)


def test_verdicts_join_clean_and_corrupted():
    """The verdicts equal direct calls of the model, on images whose lower rows are black."""
    images, labels = first_digits(10, 60)
    labels = torch.where(torch.arange(60) % 5 == 0, (labels + 1) % 10, labels)
    corrupted = images.mul(255).round().byte()
    corrupted[:, :, 5:] = 0
    given = task(corrupted, labels)
    first, last = evaluator.evaluate(given)
    with torch.no_grad():
        before = given.classifier(given.pixels[:]).argmax(1) == labels
        after = given.classifier(corrupted.float() / 255).argmax(1) == labels
    table = {(True, True): "R", (True, False): "x", (False, True): "m", (False, False): "W"}
    expected = "".join(table[pair] for pair in zip(before.tolist(), after.tolist(), strict=True))
    (verdicts,) = last.budgets
    assert verdicts.verdicts == expected
    assert set(expected) == set("RxmW")
    assert verdicts.robust == int(after.sum())
    assert verdicts.passes["corruption"].forward == 60
    assert (first.complete, first.undecided, last.complete, last.undecided) == (False, 60, True, 0)
    assert first.clean_top5 == last.clean_top5
    assert first.clean_top5.count("1") >= int(before.sum())
    assert list(evaluator.evaluate(given, last)) == [last]
    assert [one.budgets[0].verdicts for one in evaluator.evaluate(given, first)] == [
        first.budgets[0].verdicts,
        expected,
    ]


def test_global_state_is_restored():
    """Gradients stay enabled between two evaluations, and the model gets its mode back."""
    given = task(first_digits(10, 60)[0].mul(255).byte())
    given.classifier.train()
    evaluation = evaluator.evaluate(given)
    next(evaluation)
    assert torch.is_grad_enabled()
    list(evaluation)
    assert given.classifier.training


def test_missing_corrupted_images_are_rejected():
    with pytest.raises(ValueError, match="expected 60 x 1 x 8 x 8, found none"):
        list(evaluator.evaluate(task(None)))
    with pytest.raises(ValueError, match="expected 60 x 1 x 8 x 8, found 59 x 1 x 8 x 8"):
        list(evaluator.evaluate(task(first_digits(10, 59)[0].byte())))


def test_label_outside_classes_is_rejected():
    with pytest.raises(ModelError, match="outside the model's 10 classes"):
        list(evaluator.evaluate(task(first_digits(10, 60)[0].byte(), torch.full((60,), 10))))
