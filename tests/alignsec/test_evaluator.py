"""The evaluator: the reference's verdicts image by image, in steps that can be stopped and taken up."""

import math
from collections.abc import Sequence
from itertools import islice, pairwise
from typing import Any, get_args

import pyautoattack
import pytest
import torch
from torch import Tensor, nn

from alignsec import evaluator, reference
from alignsec.attack import PARAMETERS, Attack, Component
from alignsec.classifier import BadModel, Classifier
from alignsec.engine import opening
from alignsec.evaluation import Evaluation
from alignsec.judge import distances
from alignsec.task import Task
from tests import tiny_networks
from tests.tiny_networks import few, trained

SEED = 3
LINF, L2 = ("0.06", "0.25"), ("0.3", "1.5")
"""On the digits network: the smaller budget breaks some images, the larger all but a few at once."""


def attack(method: str = "autoattack", norm: str = "Linf", eps: Sequence[str] = LINF, **fields: object) -> Attack:
    asked = {"method": method, "norm": norm, "eps": list(eps), "implementation": "reference"}
    return Attack.model_validate({**asked, **fields})


def task(asked: Attack, network: nn.Module | None = None, classes: int = 10, count: int = 20) -> Task:
    images, labels = few(classes, count)
    return Task(tiny_networks.classifier(network or trained(classes)), images, labels, asked, SEED)


def finish(asked: Task, known: Evaluation | None = None) -> Evaluation:
    *_, last = evaluator.evaluate(asked, known)
    return last


def timeless(evaluation: Evaluation) -> dict[str, Any]:
    """All of an evaluation but the seconds it took."""
    return evaluation.model_dump(exclude={"budgets": {"__all__": {"seconds"}}})


@pytest.mark.parametrize(
    ("norm", "eps", "changes"),
    [("Linf", LINF, {"queries": 200}), ("L2", L2, {"queries": 200}), ("Linf", ("0.3",), {}), ("L2", ("2",), {})],
)
def test_the_verdicts_are_those_of_the_reference(norm: str, eps: tuple[str, ...], changes: dict[str, int]):
    """Standard AutoAttack by pyautoattack's own front door, image by image, at several budgets and both norms.

    With fewer queries of Square where images stay robust to the end, to save the test a minute.
    """
    asked = task(attack("autoattack", norm, eps, **changes), count=12)
    found = finish(asked)
    for verdicts in found.budgets:
        theirs = pyautoattack.AutoAttack(
            asked.classifier, norm=norm, eps=float(verdicts.eps), seed=SEED, version="standard"
        )
        theirs.square.n_queries = asked.attack.queries
        _, predicted = theirs.run_standard_evaluation(asked.pixels, asked.labels, batch_size=100)
        assert [letter == "R" for letter in verdicts.verdicts] == (predicted == asked.labels).tolist()
        assert verdicts.largest_distance <= float(verdicts.eps) + 1e-6
        assert verdicts.rejected == 0
    if changes:
        smaller, larger = (verdicts.robust for verdicts in found.budgets)
        assert 12 > smaller > larger, "the budgets do not tell a weak attack from a strong one"
    else:
        assert found.notes == ()


@pytest.mark.parametrize("component", get_args(Component))
def test_one_component_is_the_references(component: Component):
    """Each alone, through the reference's custom version with the standard's settings."""
    short = {"queries": 300, "targets": 3}
    used = {name: value for name, value in short.items() if name in PARAMETERS[component]}
    asked = task(attack(component, eps=["0.06"], **used), count=12)
    theirs = pyautoattack.AutoAttack(asked.classifier, attacks=[component], eps=0.06, seed=SEED, version="custom")
    theirs.apgd.n_restarts = theirs.fab.n_restarts = 1
    theirs.square.n_queries = asked.attack.queries
    theirs.apgd_targeted.n_target_classes = theirs.fab.n_target_classes = asked.attack.targets
    _, predicted = theirs.run_standard_evaluation(asked.pixels, asked.labels, batch_size=100)
    (verdicts,) = finish(asked).budgets
    assert [letter in "RW" for letter in verdicts.verdicts] == [
        bool(same) or letter == "W"
        for same, letter in zip(predicted == asked.labels, verdicts.verdicts, strict=True)
    ]
    assert 0 < verdicts.robust < 12


def test_stopped_after_every_step_and_taken_up_from_json():
    """What a checkpoint does: each step in a new process, from text."""
    asked = attack("autoattack", eps=LINF, steps=5, targets=2, queries=20, batch=8)
    whole = finish(task(asked))
    known, starts = None, 0
    while known is None or not known.complete:
        fresh = task(asked)
        *_, stopped = islice(evaluator.evaluate(fresh, known), 1 if known is None else 2)
        known = Evaluation.model_validate_json(stopped.model_dump_json())
        starts += 1
    assert starts == whole.steps + 1 == 2 * 3 * 4 + 1
    assert timeless(known) == timeless(whole)


def test_progress_only_goes_forward():
    """Steps are counted, what is undecided and what is left to do never grows, and nothing is left at the end."""
    found = list(evaluator.evaluate(task(attack("autoattack", steps=5, targets=2, queries=20, batch=8))))
    assert [one.steps_done for one in found] == list(range(found[0].steps + 1))
    assert [one.complete for one in found] == [False] * found[0].steps + [True]
    for before, after in pairwise(found):
        assert after.undecided <= before.undecided
        assert after.passes_left <= before.passes_left
    assert (found[-1].undecided, found[-1].passes_left) == (0, 0)
    clean = sum(letter == "R" for letter in found[0].budgets[0].verdicts)
    assert found[0].undecided == 2 * clean


def test_each_component_meets_what_is_still_robust():
    """A letter, once given, stays; a component passes only the images nobody has broken."""
    seen = list(evaluator.evaluate(task(attack("autoattack", eps=["0.12"], steps=10, targets=3, queries=50))))
    for before, after in pairwise(seen):
        for old, new in zip(before.budgets[0].verdicts, after.budgets[0].verdicts, strict=True):
            assert old in {new, "R"}
    last = seen[-1].budgets[0]
    assert set(last.verdicts) > {"c"}
    assert list(last.passes) == ["apgd-ce", "apgd-t", "fab-t", "square"]


def test_a_label_not_predicted_is_wrong_at_every_budget():
    asked = task(attack("apgd-ce", steps=2))
    wrong = Task(asked.classifier, asked.pixels, (asked.labels + 1) % 10, asked.attack, SEED)
    assert [one.verdicts for one in finish(wrong).budgets] == ["W" * 20] * 2


def test_clean_has_one_budget_and_no_steps():
    found = finish(task(Attack(name="clean", method="clean")))
    assert found.complete
    assert found.steps == 0
    assert [str(one.eps) for one in found.budgets] == ["0"]
    # 16 of them are asked twice: is the model randomised?
    assert found.clean_passes.forward == 20 + 16
    assert found.budgets[0].passes == {}


@pytest.mark.parametrize("norm", ["Linf", "L2"])
def test_an_eps_of_zero_leaves_every_image(norm: str):
    """Robust accuracy at 0 is clean accuracy, for no pass."""
    found = finish(task(attack("autoattack", norm, ["0"])))
    assert set(found.budgets[0].verdicts) <= {"R", "W"}
    assert (found.steps, found.budgets[0].largest_distance) == (0, 0)


@pytest.mark.parametrize("classes", [2, 3, 4, 5])
def test_few_classes(classes: int):
    """Fewer targets than nine, and below four classes no APGD-T, whose loss looks at four logits: in notes."""
    asked = attack("autoattack", eps=["0.3"], steps=10, queries=50)
    found = finish(task(asked, classes=classes, count=10))
    assert found.classes == classes
    targets = f"{classes - 1} target classes instead of 9: the model has {classes} classes"
    assert targets in found.notes
    left_out = [note for note in found.notes if "left out" in note]
    assert left_out == ([] if classes >= 4 else [f"apgd-t left out: it needs 4 classes, the model has {classes}"])
    assert found.budgets[0].robust < 10
    assert ("apgd-t" in found.budgets[0].passes) == (classes >= 4)


def test_as_many_classes_as_the_standard_needs_give_no_note():
    assert finish(task(attack("apgd-t", eps=["0.3"]), count=2)).notes == ()


def test_an_attack_without_targets_does_not_speak_of_them():
    assert finish(task(attack("apgd-ce", eps=["0.01"]), classes=3, count=2)).notes == ()


def test_deviations_from_the_standard_are_notes():
    found = finish(task(attack("apgd-ce", eps=["0.01"], steps=2), count=2))
    assert found.notes == ("not the standard attack: steps = 2 (standard: 100)",)


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


@pytest.mark.parametrize("component", get_args(Component))
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
    with pytest.raises(BadModel, match="logits of 20 of 20 clean images are not finite; are the weights sound"):
        finish(task(attack(), network))


def test_labels_outside_the_classes_are_a_bad_model():
    asked = task(attack(), trained(10))
    with pytest.raises(BadModel, match="label 9 is outside the model's 5 classes"):
        finish(Task(tiny_networks.classifier(trained(5)), asked.pixels, asked.labels, asked.attack, SEED))


def test_a_softmax_is_warned_of():
    """It masks the gradients, and the accuracy it gives looks like robustness."""
    found = finish(task(attack("apgd-ce", steps=2), nn.Sequential(trained(), nn.Softmax(1))))
    assert [note for note in found.notes if "probabilities, not logits" in note]


def test_an_attack_that_leaves_the_budget_is_rejected(monkeypatch: pytest.MonkeyPatch):
    """Its images are counted as rejected, and stay robust."""

    def liar(classifier: Classifier, images: Tensor, *_: object) -> Tensor:
        return 1 - images

    monkeypatch.setitem(reference.RUN, "apgd-ce", liar)
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

    monkeypatch.setitem(reference.RUN, "apgd-ce", kept)
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


@pytest.mark.parametrize("component", get_args(Component))
@pytest.mark.parametrize("norm", ["Linf", "L2"])
def test_the_time_left_is_never_too_short(component: Component, norm: str):
    """`passes_left` is the most it can take; an image that stays robust takes all but a few of it."""
    short = {"steps": 30, "targets": 3, "queries": 100}
    used = {name: value for name, value in short.items() if name in PARAMETERS[component]}
    asked = attack(component, norm, ["0.0001"], **used)
    first, *_, last = evaluator.evaluate(task(asked, count=4))
    took = last.budgets[0].passes[component].forward
    assert last.budgets[0].robust == 4
    assert 0.9 * first.passes_left <= took <= first.passes_left


def test_the_callers_random_numbers_do_not_matter():
    """The reference seeds the global generator; what was drawn before must not show."""
    asked = task(attack("square", eps=["0.06"], queries=30))
    torch.manual_seed(1)
    one = finish(asked)
    torch.manual_seed(2)
    torch.rand(5)
    assert timeless(finish(asked)) == timeless(one)


@pytest.mark.parametrize("implementation", ["alignsec", "reference"])
def test_top_5_when_clean(implementation: str):
    """As torch.topk has it, image by image, by both implementations."""
    asked = task(attack(method="clean", norm=None, eps=[], implementation=implementation), trained(), count=60)
    asked = Task(asked.classifier, asked.pixels, (asked.labels + 3) % 10, asked.attack, SEED)
    found = finish(asked).clean_top5
    with torch.no_grad():
        highest = asked.classifier(asked.pixels).topk(5).indices
    expected = (highest == asked.labels[:, None]).any(1)
    assert found == "".join(str(int(one)) for one in expected)
    assert {"0", "1"} == set(found)


def test_top_5_of_equal_logits():
    """The first five classes, and whatever argmax names."""
    labels = torch.arange(10)
    assert opening.top5(torch.zeros(10, 10), labels) == "1111100000"
    assert opening.top5(torch.eye(10), labels) == "1" * 10
    assert opening.top5(torch.zeros(3, 3), torch.arange(3)) == "111"
