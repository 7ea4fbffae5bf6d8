"""Evaluator: checks of models and attacks that do not behave well."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from alignsec import evaluator
from alignsec.evaluation import reference
from alignsec.evaluation.judge import distances
from alignsec.evaluation.task import Task
from alignsec.models.classifier import Classifier
from alignsec.models.errors import ModelError
from alignsec.spec.components import AUTOATTACK, COMPONENTS
from tests import tiny_networks
from tests.alignsec.evaluation.reference_task import SEED, attack, run_to_end, task
from tests.tiny_networks import first_digits, trained_network


class Constant(nn.Module):
    """A network with the same logits for every image and a gradient of zero."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.logits = torch.linspace(1, 0, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits, N x classes."""
        return self.logits + 0 * images.flatten(1).sum(1, keepdim=True)


@pytest.mark.parametrize("norm", ["Linf", "L2"])
@pytest.mark.parametrize("classes", [2, 10])
@pytest.mark.filterwarnings("ignore:there are .* points with zero gradient")
def test_constant_model_is_never_broken(norm: str, classes: int):
    """The model classifies every image as class 0."""
    chosen = attack("autoattack", norm, ["0.5"], steps=5, queries=20)
    found = run_to_end(task(chosen, Constant(classes), classes=classes, count=10))
    _, labels = first_digits(classes, 10)
    assert found.budgets[0].verdicts == "".join("R" if label == 0 else "W" for label in labels.tolist())


class NanWhenPerturbed(nn.Module):
    """A network with finite logits for the clean images and NaN for every other image."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network, self.known = network, first_digits(10, 20)[0]

    def forward(self, images: Tensor) -> Tensor:
        """Logits, N x classes."""
        same = (images[:, None] - self.known).flatten(2).abs().amax(2).amin(1) == 0
        logits: Tensor = self.network(images)
        return torch.where(same[:, None], logits, math.nan)


@pytest.mark.parametrize("component", AUTOATTACK)
@pytest.mark.parametrize("norm", ["Linf", "L2"])
@pytest.mark.filterwarnings("ignore:there are .* points with zero gradient")
def test_nan_under_attack_does_not_break_images(component: str, norm: str):
    """NaN differs from the label too, so a naive count would call every image broken."""
    chosen = attack(component, norm, ["0.3"], **({"queries": 20} if component == "square" else {"steps": 5}))
    given = task(chosen, NanWhenPerturbed(trained_network()), count=10)
    if (component, norm) == ("square", "L2"):
        # The reference raises an error, which the job records as a failure without verdicts.
        with pytest.raises(RuntimeError, match="0 elements"):
            run_to_end(given)
        return
    found = run_to_end(given)
    assert set(found.budgets[0].verdicts) <= {"R", "W"}


def test_nan_on_clean_images_is_rejected():
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    with torch.no_grad():
        network[1].weight[3] = math.nan
    with pytest.raises(ModelError, match="logits of 20 of 20 images are not finite; check the weights"):
        run_to_end(task(attack(), network))


def test_label_outside_classes_is_rejected():
    prepared = task(attack(), trained_network(10))
    with pytest.raises(ModelError, match="label 9 is outside the model's 5 classes"):
        run_to_end(
            Task(
                tiny_networks.classifier(trained_network(5)),
                prepared.pixels,
                prepared.labels,
                prepared.attack,
                SEED,
            )
        )


def test_softmax_gives_warning():
    """A softmax masks the gradients, which makes the model look robust."""
    found = run_to_end(task(attack("apgd-ce", steps=2), nn.Sequential(trained_network(), nn.Softmax(1))))
    assert [note for note in found.notes if "probabilities, not logits" in note]


def test_images_outside_budget_are_rejected(monkeypatch: pytest.MonkeyPatch):
    """The images are counted as rejected and stay robust."""

    def leave_budget(classifier: Classifier, images: Tensor, *_: object) -> Tensor:
        return 1 - images

    monkeypatch.setattr(reference, "apgd_ce", leave_budget)
    (verdicts,) = run_to_end(task(attack("apgd-ce", eps=["0.03"]))).budgets
    assert set(verdicts.verdicts) <= {"R", "W"}
    assert verdicts.rejected == verdicts.robust > 10
    assert verdicts.largest_distance == 0


def test_largest_distance_is_of_confirmed_images(monkeypatch: pytest.MonkeyPatch):
    found: list[Tensor] = []
    run = reference.apgd_ce

    def kept(classifier: Classifier, images: Tensor, *rest: Any) -> Tensor:
        adversarial = run(classifier, images, *rest)
        found.append(distances(images, adversarial, "L2"))
        return adversarial

    monkeypatch.setattr(reference, "apgd_ce", kept)
    (verdicts,) = run_to_end(task(attack("apgd-ce", "L2", ["0.6"]))).budgets
    assert verdicts.largest_distance == float(found[0].detach().max()) > 0.3


@pytest.mark.parametrize("norm", ["Linf", "L2"])
def test_every_pass_is_counted(norm: str):
    """The counts of clean pass, components and judge equal the images that hooks of the network count."""
    counted = {"forward": 0, "backward": 0}
    network = nn.Sequential(nn.Identity(), trained_network())
    network[0].register_forward_hook(
        lambda module, given, out: counted.update(forward=counted["forward"] + len(out))
    )
    network[0].register_full_backward_hook(
        lambda module, grad_in, grad_out: counted.update(backward=counted["backward"] + len(grad_out[0]))
    )
    found = run_to_end(
        task(attack("autoattack", norm, ["0.03"], steps=5, targets=2, queries=20), network, count=8)
    )
    passes = [found.clean_passes, *found.budgets[0].passes.values()]
    assert sum(one.forward for one in passes) == counted["forward"]
    assert sum(one.backward for one in passes) == counted["backward"] > 0


@pytest.mark.parametrize("component", AUTOATTACK)
@pytest.mark.parametrize("norm", ["Linf", "L2"])
def test_passes_left_is_upper_bound(component: str, norm: str):
    """`passes_left` is an upper bound, and images that stay robust need at least 90 % of it."""
    short = {"steps": 30, "targets": 3, "queries": 100}
    used = {name: value for name, value in short.items() if name in COMPONENTS[component].parameters}
    chosen = attack(component, norm, ["0.0001"], **used)
    first, *_, last = evaluator.evaluate(task(chosen, count=4))
    took = last.budgets[0].passes[component].forward
    assert last.budgets[0].robust == 4
    assert 0.9 * first.passes_left <= took <= first.passes_left
