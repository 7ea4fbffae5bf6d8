"""Pixels: bytes that are converted to the floats that ToTensor returns."""

import pytest
import torch

from alignsec import evaluator
from alignsec.evaluation.task import Task
from alignsec.models import pixels
from alignsec.models.pixels import Pixels
from alignsec.spec.attack import Attack
from tests import tiny_networks

BYTES = torch.arange(256, dtype=torch.uint8).view(4, 1, 8, 8)


@pytest.mark.parametrize(
    "index", [0, 3, -1, slice(None), slice(1, 3), slice(2, 2), slice(3, 0, -2), [2, 0], torch.tensor([3, 3, 1])]
)
def test_floats_equal_division(index):
    """All kinds of indices return the same bits."""
    if isinstance(index, slice) and index.step:
        with pytest.raises(ValueError, match="step must be greater than zero"):
            _ = Pixels(BYTES)[index]
        return
    given = Pixels(BYTES)[index]
    assert given.dtype == torch.float32
    assert torch.equal(given, (BYTES.float() / 255)[index])


def test_table_equals_division():
    """Devices other than CPUs look the values up in the table."""
    looked_up = Pixels(BYTES)
    looked_up._table = pixels._FLOAT_OF_BYTE
    assert torch.equal(looked_up[:], Pixels(BYTES)[:])


def test_index_waits_only_for_requested_images():
    waits: list[int] = []
    given = Pixels(BYTES, wait=waits.append)
    _ = given[0:2], given[1], given[:1], given[2], given[torch.tensor([0])], given[:]
    assert waits == [2, 3, 4]


def test_each_image_is_copied_to_device_once():
    """The CPU plays the role of a GPU: decoded images are copied once and looked up there."""
    values = torch.zeros_like(BYTES)
    ready = []

    def wait(count: int) -> None:
        values[len(ready) : count] = BYTES[len(ready) : count]
        ready.extend(range(len(ready), count))

    given = Pixels(values, wait=wait)
    given._on_device, given._table = torch.empty_like(values), pixels._FLOAT_OF_BYTE
    assert torch.equal(given[:2], BYTES[:2].float() / 255)
    values[:2] = 7
    assert torch.equal(given[torch.tensor([1, 3])], BYTES[[1, 3]].float() / 255)


@pytest.mark.parametrize("implementation", ["alignsec", "reference"])
def test_verdicts_equal_those_of_float_tensor(implementation: str):
    """All verdicts, steps and distances of AutoAttack are equal."""
    images, labels = tiny_networks.first_digits(10, 24)
    values = images.mul(255).round().byte()
    classifier = tiny_networks.classifier(tiny_networks.trained_network())
    attack = Attack.model_validate(
        {"method": "autoattack", "norm": "Linf", "eps": ["0.06"], "steps": 5, "queries": 20, "batch": 8}
        | {"implementation": implementation}
    )
    ends = []
    for images_ in (Pixels(values), values.float() / 255):
        *_, last = evaluator.evaluate(Task(classifier, images_, labels, attack, 0))
        ends.append(last.model_dump(exclude={"budgets": {"__all__": {"seconds"}}}))
    assert ends[0] == ends[1]
    assert set(ends[0]["budgets"][0]["verdicts"]) > {"R", "c"}
