"""Kept examples: the first broken images, whatever the order, batch size, implementation or interruption."""

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from alignsec import evaluator
from alignsec.evaluation.evaluation import AdversarialImage
from alignsec.evaluation.judge import confirm
from alignsec.evaluation.kept_examples import KeptExamples
from alignsec.evaluation.task import Task
from alignsec.images.clean_pixels import to_floats
from alignsec.models.pixels import Pixels
from alignsec.run.examples_file import ExamplesFile
from alignsec.spec.attack import Attack
from tests.alignsec.engine import small

NAMES = [f"{number}.png" for number in range(8)]


def make_task(**fields: Any) -> Task:
    torch.manual_seed(1)
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 5))
    classifier = small.classifier(network, 3, 8)
    pixels = Pixels(torch.randint(256, (8, 3, 8, 8), dtype=torch.uint8))
    labels = classifier(pixels[:]).argmax(1)
    labels[2] = (labels[2] + 1) % 5
    given = {"method": "apgd-ce", "norm": "Linf", "eps": ["1/255", "0.1"], "steps": 10, **fields}
    return Task(classifier, pixels, labels, Attack.model_validate(given), 0)


def run(task: Task) -> tuple[list[str], bytes]:
    """Return the verdicts and the file of examples."""
    kept = KeptExamples("a", task.attack, task.pixels)
    for evaluation in evaluator.evaluate(task, None, 0, None, kept.add):
        last = evaluation
    return [budget.verdicts for budget in last.budgets], kept.finish(task.classifier, task.labels, NAMES)


def find_broken(verdicts: str) -> list[int]:
    return [image for image, letter in enumerate(verdicts) if letter not in "RWU"]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"keep": 2},
        {"keep": "all"},
        {"method": "autoattack", "norm": "L2", "eps": ["0.3", "1"], "queries": 20},
        {"method": "autoattack", "norm": "L1", "eps": ["10"], "steps": 30, "queries": 20},
        {"implementation": "reference", "keep": 3},
        {"method": "autoattack", "audit": {"share": "0.5"}, "eps": ["0.02"], "queries": 20},
        {"carry": True},
    ],
)
def test_the_first_broken_images_are_kept_as_judged(fields: dict[str, Any]):
    """Expect exactly these examples, each one confirmed again, with facts that fit."""
    task = make_task(**fields)
    verdicts, data = run(task)
    found, most = ExamplesFile.parse(data), {"all": 8}.get(task.attack.keep or 4, task.attack.keep or 4)
    expected = [
        (budget, image) for budget, letters in enumerate(verdicts) for image in find_broken(letters)[:most]
    ]
    assert expected
    assert [(one.budget, one.image) for one in found.examples] == expected
    assert [one.image for one in found.images] == sorted({image for _, image in expected})
    for number, entry in enumerate(found.examples):
        clean, example = task.pixels[[entry.image]], torch.from_numpy(found.read_example(number))[None]
        assert torch.equal(clean[0], torch.from_numpy(to_floats(found.read_clean(entry.image))))
        eps, labels = float(task.attack.budgets[entry.budget]), task.labels[[entry.image]]
        assert task.attack.norm is not None
        assert confirm(task.classifier, clean, example, labels, task.attack.norm, eps).all()
        softmax = task.classifier(example).softmax(1)[0]
        assert entry.predicted == softmax.argmax()
        assert entry.confidence == pytest.approx(float(softmax.max()), abs=1e-5)
        image = found.find_image(entry)
        assert (image.name, image.label) == (NAMES[entry.image], labels[0])
        assert image.confidence == pytest.approx(float(task.classifier(clean).softmax(1)[0, labels[0]]), abs=1e-5)


@pytest.mark.parametrize("batch", [1, 3])
def test_the_file_does_not_depend_on_the_batch_size(batch: int):
    """A network of one layer rounds alike in every batch, so the bytes are the same."""
    assert run(make_task(batch=batch, keep=2))[1] == run(make_task(keep=2))[1]


def make_found(image: int, budget: int = 0) -> tuple[AdversarialImage, Tensor]:
    found = AdversarialImage(budget=budget, image=image, component="apgd-ce", target=0, step=1, distance=0.1)
    return found, torch.full((3, 8, 8), image / 10)


def test_the_file_does_not_depend_on_the_order():
    """Expect the same bytes for each order in which images break, and for an image that is found again."""
    task, files = make_task(keep=2), set()
    for order in itertools.permutations([5, 1, 7, 4]):
        kept = KeptExamples("a", task.attack, task.pixels)
        for image in (*order, order[0]):
            kept.add(*make_found(image))
        files.add(kept.finish(task.classifier, task.labels, NAMES))
    (data,) = files
    assert [one.image for one in ExamplesFile.parse(data).examples] == [1, 4]


@pytest.mark.parametrize("cut", range(5))
def test_a_resumed_job_writes_the_same_file(cut: int):
    task = make_task(keep=2)
    whole, first, second = (KeptExamples("a", task.attack, task.pixels) for _ in range(3))
    examples = [make_found(image, budget) for image, budget in ((5, 1), (6, 0), (1, 1), (3, 1))]
    for one in examples:
        whole.add(*one)
    for one in examples[:cut]:
        first.add(*one)
    second.restore(first.save())
    for one in examples[cut:]:
        second.add(*one)
    files = [kept.finish(task.classifier, task.labels, NAMES) for kept in (whole, second)]
    assert files[0] == files[1]


def test_without_examples_there_is_no_file():
    task = make_task(keep=0)
    assert run(task)[1] == b""
    assert KeptExamples("a", task.attack, task.pixels).save() == b""


def test_a_file_has_a_largest_size():
    """Expect the first images that fit, complete at all budgets."""
    task = make_task()
    kept = KeptExamples("a", task.attack, task.pixels, most_bytes=3500)
    for image, budget in itertools.product([0, 1, 3, 4], [0, 1]):
        kept.add(*make_found(image, budget))
    data = kept.finish(task.classifier, task.labels, NAMES)
    found = [(one.budget, one.image) for one in ExamplesFile.parse(data).examples]
    assert len(data) <= 3500
    assert 0 < kept.left_out < 4
    assert found == list(itertools.product([0, 1], [0, 1, 3, 4][: 4 - kept.left_out]))
