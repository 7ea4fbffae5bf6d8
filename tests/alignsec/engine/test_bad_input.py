"""Unusual models and images: expect correct verdicts, or an error that says what is wrong."""

import math

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from alignsec.evaluation.judge import tolerance
from alignsec.evaluation.task import Task
from alignsec.models.errors import ModelError
from tests.alignsec.engine import small


class Model(nn.Module):
    """A network made of any function of the images."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, images):
        """Return the function's result."""
        return self.function(images)


def run(function, attack=None, images=4, **changes):
    pixels = small.digits()[0][:images]
    fields = {"pixels": pixels, "labels": ten(pixels).argmax(1), **changes}
    subject = Task(small.classifier(Model(function)), attack=attack or small.attack(), seed=0, **fields)
    return small.finished(subject)


def ten(images):
    """Return ten logits: ten pixels from the middle of the digit."""
    return images.flatten(1)[:, 20:30] * 3


@given(
    shape=st.tuples(st.sampled_from([1, 3]), st.integers(1, 9), st.integers(1, 9)),
    classes=st.sampled_from([2, 3, 4, 5, 11, 1000]),
    norm=st.sampled_from(["Linf", "L2", "L1"]),
    budgets=st.lists(st.sampled_from(["0", "0.001", "0.1", "1/2", "1"]), min_size=1, max_size=3, unique=True),
    images=st.integers(1, 5),
    slots=st.integers(1, 9),
    carry=st.booleans(),
    search=st.sampled_from(["fp32", "bf16"]),
    seed=st.integers(0, 1000),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_shape_and_number_of_classes_gives_valid_verdicts(
    shape, classes, norm, budgets, images, slots, carry, search, seed
):
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Flatten(), nn.Linear(math.prod(shape), classes))
    pixels = torch.rand(images, *shape)
    with torch.no_grad():
        labels = network(pixels).argmax(1)
    labels[0] = 0
    attack = small.attack("autoattack", norm, budgets, steps=3, queries=8, carry=carry, search=search)
    classifier = small.classifier(network, channels=shape[0], side=9)
    evaluation = small.finished(Task(classifier, pixels, labels, attack, seed), slots=slots)

    assert [one.eps for one in evaluation.budgets] == list(attack.budgets)
    assert all(one.verdicts.translate(dict.fromkeys(b"ctfs", "R")) for one in evaluation.budgets)
    for one in evaluation.budgets:
        broken = [index for index, letter in enumerate(one.verdicts) if letter in "ctfs"]
        assert not (broken and float(one.eps) == 0)
        assert one.largest_distance <= float(one.eps) + tolerance(pixels[0], norm)
    spent = evaluation.clean_passes.forward + sum(
        p.forward for one in evaluation.budgets for p in one.passes.values()
    )
    assert classifier.passes.forward == spent
    assert classifier.passes.backward == sum(p.backward for one in evaluation.budgets for p in one.passes.values())
    assert ("apgd-t left out" in " ".join(evaluation.notes)) == (classes < 4)


@pytest.mark.parametrize("norm", ["Linf", "L2", "L1"])
def test_a_constant_model_is_robust_with_a_warning(norm):
    """Expect a robust image of class 0, to which ties go, and a warning about flat gradients."""
    labels = torch.tensor([0, 1, 2])
    evaluation = run(
        lambda images: (images * 0).flatten(1)[:, :10], small.attack(norm=norm), images=3, labels=labels
    )
    assert small.verdicts(evaluation) == ["RWW"]
    assert any("gradient of the loss is zero" in note for note in evaluation.notes)


@pytest.mark.parametrize("worst", [math.nan, math.inf])
def test_clean_logits_must_be_finite(worst):
    with pytest.raises(ModelError, match="the logits of 4 of 4 images are not finite"):
        run(lambda images: ten(images) * worst)


@pytest.mark.parametrize("method", ["apgd-ce", "apgd-t", "fab-t", "square"])
def test_logits_must_stay_finite_under_attack(method):
    """Expect an error for a model that is finite on the clean digit only."""
    clean = small.digits()[0][:1].square().sum((1, 2, 3))

    def fragile(images):
        return ten(images) / 30 / (images.square().sum((1, 2, 3)) == clean).unsqueeze(1)

    def poisoned(images):
        return torch.where((images.square().sum((1, 2, 3)) == clean).unsqueeze(1), ten(images) / 30, torch.nan)

    for function in (fragile, poisoned):
        with pytest.raises(ModelError, match="not finite"):
            run(function, small.attack(method, eps=("0.3",)), images=1)


def test_gradients_that_are_not_finite_count_as_0_with_a_warning():
    """The derivative of the root is infinite at 0, the value of the digits' background."""
    evaluation = run(lambda images: ten(images) + images.sqrt().sum((1, 2, 3)).unsqueeze(1) * 0, images=1)
    assert any("gradients were not finite" in note for note in evaluation.notes)


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (lambda images: "logits", "returned str; no logits found"),
        (lambda images: {"a": None, "b": 1}, "returned dict with the keys a, b; no logits found"),
        (lambda images: ten(images)[:1], "returned 1 x 10 torch.float32 for 4 images"),
        (lambda images: ten(images)[:, 0], r"a tensor of shape \(4,\); expected images x classes"),
        (
            lambda images: ten(images).argmax(1, keepdim=True).expand(-1, 10),
            "returned 4 x 10 torch.int64 for 4 images",
        ),
        (lambda images: ten(images).detach(), "differentiable"),
        (lambda images: torch.eye(10)[ten(images).argmax(1)], "differentiable"),
        (lambda images: ten(images)[:, :2], "is outside the model's 2 classes"),
    ],
)
def test_a_model_without_usable_logits_is_rejected(function, says):
    with pytest.raises(ModelError, match=says):
        run(function)


class Answer:
    """The output object of a library's model."""

    def __init__(self, logits):
        self.logits = logits


@pytest.mark.parametrize(
    "wrap",
    [lambda logits: (logits, None), lambda logits: {"logits": logits, "loss": None}, Answer],
    ids=["tuple", "dict", "object"],
)
@pytest.mark.parametrize("search", ["fp32", "bf16"])
def test_logits_are_found_in_a_model_s_output(wrap, search):
    attack = small.attack(eps=("0.3",), search=search)
    bare = run(lambda images: ten(images) / 30, attack)
    wrapped = run(lambda images: wrap(ten(images) / 30), attack)
    assert small.verdicts(wrapped) == small.verdicts(bare)
    assert "c" in small.verdicts(bare)[0]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"pixels": torch.full((4, 1, 8, 8), 1.5)}, r"must be in \[0,1\], found 1.5 to 1.5"),
        ({"pixels": torch.full((4, 1, 8, 8), math.nan)}, "found nan to nan"),
        ({"pixels": torch.zeros(4, 8, 8)}, "expected N x C x H x W"),
        ({"pixels": torch.zeros(4, 1, 8, 8).double()}, "float64"),
        ({"labels": torch.tensor([0, 1])}, "with 2 labels"),
        ({"labels": torch.tensor([0, 1, 2, -1])}, "must not be negative, found -1"),
    ],
)
def test_images_and_labels_are_validated_first(changes, says):
    with pytest.raises(ValueError, match=says):
        run(ten, **changes)


def test_an_error_of_the_model_is_raised():
    def choosy(images):
        if len(images) > 2:
            raise RuntimeError("at most two")
        return ten(images)

    with pytest.raises(RuntimeError, match="at most two"):
        run(choosy)


def test_the_model_is_restored():
    """Expect the same mode, requires_grad, gradients and hooks, also after an error or an early end."""
    from alignsec.engine import evaluate  # noqa: PLC0415 - only here

    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 10), nn.Dropout())
    classifier = small.classifier(network)
    network.train()
    network[1].eval()
    network[1].weight.requires_grad_(True)
    pixels, labels = (part[:4] for part in small.digits())

    def model_state():
        hooks = [len(m._forward_hooks) + len(m._backward_hooks) for m in classifier.modules()]
        modes = [m.training for m in classifier.modules()]
        return hooks, modes, [(p.requires_grad, p.grad, p.clone().tolist()) for p in classifier.parameters()]

    before = model_state()
    steps = evaluate(Task(classifier, pixels, labels, small.attack(), 0))
    next(steps)
    assert not network.training
    steps.close()
    assert model_state() == before
    list(evaluate(Task(classifier, pixels, labels, small.attack(), 0)))
    assert model_state() == before
    with pytest.raises(ModelError):
        list(evaluate(Task(classifier, pixels, labels + 10, small.attack(), 0)))
    assert model_state() == before
