"""The evaluator: the reference's verdicts image by image, in steps that can be stopped and taken up."""

from itertools import islice, pairwise

import pyautoattack
import pytest
import torch

from alignsec import evaluator
from alignsec.evaluation.evaluation import Evaluation
from alignsec.evaluation.passes import clean_pass
from alignsec.evaluation.task import Task
from alignsec.spec.attack import Attack
from alignsec.spec.components import AUTOATTACK, COMPONENTS
from tests.alignsec.evaluation.reference_task import L2, LINF, SEED, attack, finish, task, timeless
from tests.tiny_networks import trained


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


@pytest.mark.parametrize("component", AUTOATTACK)
def test_one_component_is_the_references(component: str):
    """Each alone, through the reference's custom version with the standard's settings."""
    short = {"queries": 300, "targets": 3}
    used = {name: value for name, value in short.items() if name in COMPONENTS[component].parameters}
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
    assert clean_pass.top5_flags(torch.zeros(10, 10), labels) == "1111100000"
    assert clean_pass.top5_flags(torch.eye(10), labels) == "1" * 10
    assert clean_pass.top5_flags(torch.zeros(3, 3), torch.arange(3)) == "111"
