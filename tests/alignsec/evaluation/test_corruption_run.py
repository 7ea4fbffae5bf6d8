"""A corruption's verdicts: what the model says of each image, clean and corrupted."""

import pytest
import torch

from alignsec import evaluator
from alignsec.evaluation.task import Task
from alignsec.models.errors import ModelError
from alignsec.models.pixels import Pixels
from alignsec.spec.attack import Attack
from tests import tiny_networks
from tests.tiny_networks import few, trained

FOG = Attack(method="corruption", name="fog-3", corruption="fog", severity=3, generator="x 1", batch=7)


def task(corrupted: torch.Tensor | None, labels: torch.Tensor | None = None) -> Task:
    images, own = few(10, 60)
    values = images.mul(255).round().byte()
    given = None if corrupted is None else Pixels(corrupted)
    network = tiny_networks.classifier(trained())
    return Task(network, Pixels(values), own if labels is None else labels, FOG, 0, given)


def test_both_facts_of_every_image():
    """Against the model asked directly, on images with half their lower rows gone."""
    images, labels = few(10, 60)
    labels = torch.where(torch.arange(60) % 5 == 0, (labels + 1) % 10, labels)
    corrupted = images.mul(255).round().byte()
    corrupted[:, :, 5:] = 0
    asked = task(corrupted, labels)
    first, last = evaluator.evaluate(asked)
    with torch.no_grad():
        before = asked.classifier(asked.pixels[:]).argmax(1) == labels
        after = asked.classifier(corrupted.float() / 255).argmax(1) == labels
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
    assert list(evaluator.evaluate(asked, last)) == [last]
    assert [one.budgets[0].verdicts for one in evaluator.evaluate(asked, first)] == [
        first.budgets[0].verdicts,
        expected,
    ]


def test_nothing_leaks_to_the_caller():
    """Gradients stay on between two steps of the evaluation, and the model's mode as it was."""
    asked = task(few(10, 60)[0].mul(255).byte())
    asked.classifier.train()
    evaluation = evaluator.evaluate(asked)
    next(evaluation)
    assert torch.is_grad_enabled()
    list(evaluation)
    assert asked.classifier.training


def test_images_that_are_not_there_are_refused():
    with pytest.raises(ValueError, match="expected 60 x 1 x 8 x 8, found none"):
        list(evaluator.evaluate(task(None)))
    with pytest.raises(ValueError, match="expected 60 x 1 x 8 x 8, found 59 x 1 x 8 x 8"):
        list(evaluator.evaluate(task(few(10, 59)[0].byte())))


def test_labels_outside_the_classes_are_refused():
    with pytest.raises(ModelError, match="outside the model's 10 classes"):
        list(evaluator.evaluate(task(few(10, 60)[0].byte(), torch.full((60,), 10))))
