"""What the evaluator finds out for itself, whatever a model or an attack does."""

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
from tests.alignsec.evaluation.reference_task import SEED, attack, finish, task
from tests.tiny_networks import few, trained


class Constant(nn.Module):
    """The same logits for every image, with a gradient of zero."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.logits = torch.linspace(1, 0, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits, N x classes."""
        return self.logits + 0 * images.flatten(1).sum(1, keepdim=True)


@pytest.mark.parametrize("norm", ["Linf", "L2"])
@pytest.mark.parametrize("classes", [2, 10])
@pytest.mark.filterwarnings("ignore:there are .* points with zero gradient")
def test_a_constant_model_is_broken_by_nothing(norm: str, classes: int):
    """It is right about class 0, whatever one does to the image."""
    asked = attack("autoattack", norm, ["0.5"], steps=5, queries=20)
    found = finish(task(asked, Constant(classes), classes=classes, count=10))
    _, labels = few(classes, 10)
    assert found.budgets[0].verdicts == "".join("R" if label == 0 else "W" for label in labels.tolist())


class NanWhenPerturbed(nn.Module):
    """Sound on the images it was shown first, NaN on every other."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network, self.known = network, few(10, 20)[0]

    def forward(self, images: Tensor) -> Tensor:
        """Logits, N x classes."""
        same = (images[:, None] - self.known).flatten(2).abs().amax(2).amin(1) == 0
        logits: Tensor = self.network(images)
        return torch.where(same[:, None], logits, math.nan)


@pytest.mark.parametrize("component", AUTOATTACK)
@pytest.mark.parametrize("norm", ["Linf", "L2"])
@pytest.mark.filterwarnings("ignore:there are .* points with zero gradient")
def test_nan_under_attack_is_not_broken(component: str, norm: str):
    """NaN is not the label either, so a careless count would call every image broken."""
    asked = attack(component, norm, ["0.3"], **({"queries": 20} if component == "square" else {"steps": 5}))
    given = task(asked, NanWhenPerturbed(trained()), count=10)
    if (component, norm) == ("square", "L2"):
        # The reference trips over it, which the job records as a failure: no verdict either.
        with pytest.raises(RuntimeError, match="0 elements"):
            finish(given)
        return
    found = finish(given)
    assert set(found.budgets[0].verdicts) <= {"R", "W"}


def test_nan_on_clean_images_is_a_bad_model():
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    with torch.no_grad():
        network[1].weight[3] = math.nan
    with pytest.raises(ModelError, match="logits of 20 of 20 images are not finite; check the weights"):
        finish(task(attack(), network))


def test_labels_outside_the_classes_are_a_bad_model():
    asked = task(attack(), trained(10))
    with pytest.raises(ModelError, match="label 9 is outside the model's 5 classes"):
        finish(Task(tiny_networks.classifier(trained(5)), asked.pixels, asked.labels, asked.attack, SEED))


def test_a_softmax_is_warned_of():
    """It masks the gradients, and the accuracy it gives looks like robustness."""
    found = finish(task(attack("apgd-ce", steps=2), nn.Sequential(trained(), nn.Softmax(1))))
    assert [note for note in found.notes if "probabilities, not logits" in note]


def test_an_attack_that_leaves_the_budget_is_rejected(monkeypatch: pytest.MonkeyPatch):
    """Its images are counted as rejected, and stay robust."""

    def liar(classifier: Classifier, images: Tensor, *_: object) -> Tensor:
        return 1 - images

    monkeypatch.setattr(reference, "apgd_ce", liar)
    (verdicts,) = finish(task(attack("apgd-ce", eps=["0.03"]))).budgets
    assert set(verdicts.verdicts) <= {"R", "W"}
    assert verdicts.rejected == verdicts.robust > 10
    assert verdicts.largest_distance == 0


def test_the_largest_distance_is_that_of_the_images_that_count(monkeypatch: pytest.MonkeyPatch):
    found: list[Tensor] = []
    run = reference.apgd_ce

    def kept(classifier: Classifier, images: Tensor, *rest: Any) -> Tensor:
        adversarial = run(classifier, images, *rest)
        found.append(distances(images, adversarial, "L2"))
        return adversarial

    monkeypatch.setattr(reference, "apgd_ce", kept)
    (verdicts,) = finish(task(attack("apgd-ce", "L2", ["0.6"]))).budgets
    assert verdicts.largest_distance == float(found[0].detach().max()) > 0.3


@pytest.mark.parametrize("norm", ["Linf", "L2"])
def test_every_pass_is_counted(norm: str):
    """Against a hook of the network's own: clean images, all components, and our own judging, in images."""
    counted = {"forward": 0, "backward": 0}
    network = nn.Sequential(nn.Identity(), trained())
    network[0].register_forward_hook(
        lambda module, given, out: counted.update(forward=counted["forward"] + len(out))
    )
    network[0].register_full_backward_hook(
        lambda module, grad_in, grad_out: counted.update(backward=counted["backward"] + len(grad_out[0]))
    )
    found = finish(task(attack("autoattack", norm, ["0.03"], steps=5, targets=2, queries=20), network, count=8))
    passes = [found.clean_passes, *found.budgets[0].passes.values()]
    assert sum(one.forward for one in passes) == counted["forward"]
    assert sum(one.backward for one in passes) == counted["backward"] > 0


@pytest.mark.parametrize("component", AUTOATTACK)
@pytest.mark.parametrize("norm", ["Linf", "L2"])
def test_the_time_left_is_never_too_short(component: str, norm: str):
    """`passes_left` is the most it can take; an image that stays robust takes all but a few of it."""
    short = {"steps": 30, "targets": 3, "queries": 100}
    used = {name: value for name, value in short.items() if name in COMPONENTS[component].parameters}
    asked = attack(component, norm, ["0.0001"], **used)
    first, *_, last = evaluator.evaluate(task(asked, count=4))
    took = last.budgets[0].passes[component].forward
    assert last.budgets[0].robust == 4
    assert 0.9 * first.passes_left <= took <= first.passes_left
