"""Search in lower precision: it can miss images, but breaks none that float32 does not confirm."""

import pytest
import torch
from torch import nn

from alignsec.engine import Settings, evaluate
from alignsec.evaluation.evaluation import Evaluation
from alignsec.evaluation.passes import precision
from alignsec.evaluation.passes.precision import find_doubtful, relative_rounding
from alignsec.evaluation.task import Task
from alignsec.models.errors import ModelError
from tests.alignsec.engine import small

BUDGETS = {"Linf": ("0.05", "0.12"), "L2": ("0.4", "0.9")}
METHODS = ("apgd-ce", "apgd-t", "fab-t", "square")


def is_bfloat16() -> bool:
    return torch.is_autocast_enabled("cpu")


class PrecisionDependent(nn.Module):
    """A network with another function in bfloat16 than in float32, which counts the images of each."""

    def __init__(self, network, change):
        super().__init__()
        self.network, self.change = network, change
        self.image_counts = {True: 0, False: 0}

    def forward(self, images):
        """Return logits."""
        self.image_counts[is_bfloat16()] += len(images)
        logits = self.network(images)
        return self.change(logits) if is_bfloat16() else logits


def precision_dependent_task(change, attack, images=6):
    task = small.task(False, attack, images)
    model = PrecisionDependent(small.network(False), change)
    return Task(small.classifier(model), task.pixels, task.labels, attack, 0), model


def spent(evaluation):
    return sum(one.forward for budget in evaluation.budgets for one in budget.passes.values())


@pytest.mark.parametrize("method", METHODS)
def test_unconfirmed_image_is_not_broken_and_search_continues(method):
    """In bfloat16 every image seems misclassified; in float32 none is at this small budget."""
    attack = small.attack(method, eps=("0.0001", "0.3"), search="bf16")
    task, model = precision_dependent_task(lambda logits: logits.roll(1, 1), attack)
    evaluation = small.finished(task, slots=7)
    assert evaluation.budgets[0].robust == 6
    assert evaluation.budgets[1].robust < 6
    # FAB's points are outside the smaller budget, so none is claimed there.
    assert evaluation.budgets[0].rejected == (0 if method == "fab-t" else 6)
    assert spent(evaluation) + evaluation.clean_passes.forward == sum(model.image_counts.values())
    whole = small.finished(small.task(False, small.attack(method, eps=("0.0001",)), 6))
    assert evaluation.budgets[0].passes[method].forward > spent(whole), "some searches ended early"


def test_float32_passes_are_counted_and_noted():
    task, model = precision_dependent_task(
        lambda logits: logits, small.attack(eps=("0.12",), search="bf16"), images=12
    )
    evaluation = small.finished(task)
    again = model.image_counts[False] - evaluation.clean_passes.forward
    assert again >= sum(letter in "ctfs" for letter in evaluation.budgets[0].verdicts)
    assert spent(evaluation) == model.image_counts[True] + again
    assert f"{again} of the forward passes checked apparent successes of the search in fp32" in evaluation.notes


def test_clean_images_are_classified_in_float32():
    task, model = precision_dependent_task(lambda logits: logits.roll(1, 1), small.attack(search="bf16"))
    first = next(evaluate(task))
    assert first.budgets[0].verdicts.count("R") == 6
    assert model.image_counts == {True: 0, False: first.clean_passes.forward}


def test_tie_of_rounded_logits_does_not_end_search():
    """Square ends at a tie of two logits. In bfloat16, rounding causes ties."""
    attack = small.attack("square", eps=("0.0001",), search="bf16")
    task, model = precision_dependent_task(torch.zeros_like, attack)
    assert small.finished(task).budgets[0].robust == 6
    assert model.image_counts[True] == 6 * (1 + attack.queries)


def test_last_point_of_search_is_checked_in_float32():
    """In bfloat16 class 0, the class of all images, always has by far the largest logit."""
    zeros = [at for at, label in enumerate(small.digits()[1][small.TRAINED_ON :].tolist()) if label == 0][:4]
    ahead = 100 * torch.eye(10)[0]
    attack = small.attack("apgd-t", eps=("0.3",), search="bf16")
    task = small.task(False, attack, zeros)
    model = PrecisionDependent(small.network(False), lambda logits: logits + ahead)
    evaluation = small.finished(Task(small.classifier(model), task.pixels, task.labels, attack, 0))
    assert small.verdicts(evaluation) == ["tttt"]
    assert {one.step for one in evaluation.adversarial_images} == {attack.steps}
    assert evaluation.budgets[0].rejected == 0


def test_small_margins_are_doubtful():
    logits = torch.tensor([[1.0, 0.0], [100.0, 99.9], [1.0, 1.0]])
    margins = logits[:, 0] - logits[:, 1]
    assert find_doubtful(margins, logits, relative_rounding("bf16")).tolist() == [False, True, True]
    assert find_doubtful(margins, logits, relative_rounding("tf32")).tolist() == [False, True, True]
    assert find_doubtful(margins, logits, relative_rounding("fp32")).tolist() == [False, False, True]


@pytest.mark.parametrize("norm", ["Linf", "L2"])
def test_bfloat16_breaks_about_as_many(norm):
    exact, rough = (
        small.finished(small.task(True, small.attack("autoattack", norm, BUDGETS[norm], search=search), 24))
        for search in ("fp32", "bf16")
    )
    for a, b in zip(exact.budgets, rough.budgets, strict=True):
        assert abs(a.robust - b.robust) <= 1
        assert b.largest_distance <= float(b.eps) + 1e-6


def test_bfloat16_search_is_resumed():
    task = small.task(False, small.attack("autoattack", "Linf", BUDGETS["Linf"], search="bf16"), 5)
    how = Settings(slots=6, seconds_between_yields=0)
    stopped = [evaluation.model_dump_json() for evaluation in evaluate(task, settings=how)]
    whole = Evaluation.model_validate_json(stopped[-1])
    for text in stopped[::25]:
        *_, last = evaluate(task, Evaluation.model_validate_json(text), how)
        assert small.verdicts(last) == small.verdicts(whole)
        assert last.adversarial_images == whole.adversarial_images
        assert last.notes == whole.notes
        assert [one.passes for one in last.budgets] == [one.passes for one in whole.budgets]


@pytest.mark.parametrize("method", METHODS)
def test_logits_not_finite_in_bfloat16_are_rejected(method):
    task, _ = precision_dependent_task(lambda logits: logits * torch.nan, small.attack(method, search="bf16"))
    with pytest.raises(
        ModelError, match='the logits of 6 of 6 images are not finite in bf16; set search = "fp32"'
    ):
        small.finished(task)


def test_tf32_is_enabled_for_search_only(monkeypatch: pytest.MonkeyPatch):
    """The flags are set in forward and backward passes. A CPU ignores them, so the test checks the flags."""
    monkeypatch.setattr(precision, "effective_precision", lambda search, device: search)
    flags: list[bool] = []

    def noted(logits):
        flags.append(torch.backends.cudnn.allow_tf32 and torch.backends.cuda.matmul.allow_tf32)
        if logits.requires_grad:
            logits.register_hook(lambda slope: flags.append(torch.backends.cudnn.allow_tf32))
        return logits

    task = small.task(False, small.attack(eps=("0.1",), search="tf32"), 6)
    network = nn.Sequential(small.network(False), small_layer(noted))
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    *_, last = evaluate(Task(small.classifier(network), task.pixels, task.labels, task.attack, 0))
    exact = small.finished(small.task(False, small.attack(eps=("0.1",)), 6))
    assert small.verdicts(last) == small.verdicts(exact)
    assert flags.count(True) > flags.count(False) > 2
    assert flags[:2] == [False, False], "the clean passes"
    assert not torch.backends.cudnn.allow_tf32
    assert not torch.backends.cuda.matmul.allow_tf32


def small_layer(function):
    class Layer(nn.Module):
        def forward(self, logits):
            """Apply the function."""
            return function(logits)

    return Layer()


def test_description_of_precision():
    cpu = torch.device("cpu")
    assert precision.describe_precision("fp32", cpu) == "fp32"
    assert precision.describe_precision("bf16", cpu) == "search bf16, verdicts fp32"
    assert precision.describe_precision("tf32", cpu).startswith("search fp32 (this device does not support tf32)")
