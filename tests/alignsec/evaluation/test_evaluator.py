"""Evaluator: verdicts of the reference for each image, in steps that can be resumed."""

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
from tests.alignsec.evaluation.reference_task import L2, LINF, SEED, attack, run_to_end, task, without_seconds
from tests.tiny_networks import trained_network


@pytest.mark.parametrize(
    ("norm", "eps", "changes"),
    [("Linf", LINF, {"queries": 200}), ("L2", L2, {"queries": 200}), ("Linf", ("0.3",), {}), ("L2", ("2",), {})],
)
def test_verdicts_equal_pyautoattack(norm: str, eps: tuple[str, ...], changes: dict[str, int]):
    """Compare with pyautoattack's standard evaluation for each image, at several budgets and both norms.

    Where images stay robust to the end, Square has fewer queries, which saves a minute.
    """
    prepared = task(attack("autoattack", norm, eps, **changes), count=12)
    found = run_to_end(prepared)
    for verdicts in found.budgets:
        theirs = pyautoattack.AutoAttack(
            prepared.classifier, norm=norm, eps=float(verdicts.eps), seed=SEED, version="standard"
        )
        theirs.square.n_queries = prepared.attack.queries
        _, predicted = theirs.run_standard_evaluation(prepared.pixels, prepared.labels, batch_size=100)
        assert [letter == "R" for letter in verdicts.verdicts] == (predicted == prepared.labels).tolist()
        assert verdicts.largest_distance <= float(verdicts.eps) + 1e-6
        assert verdicts.rejected == 0
    if changes:
        smaller, larger = (verdicts.robust for verdicts in found.budgets)
        assert 12 > smaller > larger, "the budgets must separate a weak attack from a strong one"
    else:
        assert found.notes == ()


@pytest.mark.parametrize("component", AUTOATTACK)
def test_component_equals_pyautoattack(component: str):
    """Each component alone equals pyautoattack's custom version with standard settings."""
    short = {"queries": 300, "targets": 3}
    used = {name: value for name, value in short.items() if name in COMPONENTS[component].parameters}
    prepared = task(attack(component, eps=["0.06"], **used), count=12)
    theirs = pyautoattack.AutoAttack(
        prepared.classifier, attacks=[component], eps=0.06, seed=SEED, version="custom"
    )
    theirs.apgd.n_restarts = theirs.fab.n_restarts = 1
    theirs.square.n_queries = prepared.attack.queries
    theirs.apgd_targeted.n_target_classes = theirs.fab.n_target_classes = prepared.attack.targets
    _, predicted = theirs.run_standard_evaluation(prepared.pixels, prepared.labels, batch_size=100)
    (verdicts,) = run_to_end(prepared).budgets
    assert [letter in "RW" for letter in verdicts.verdicts] == [
        bool(same) or letter == "W"
        for same, letter in zip(predicted == prepared.labels, verdicts.verdicts, strict=True)
    ]
    assert 0 < verdicts.robust < 12


def test_resume_from_json_after_every_step():
    """Each step resumes from the JSON text of the evaluation before, as a job does from its checkpoint."""
    chosen = attack("autoattack", eps=LINF, steps=5, targets=2, queries=20, batch=8)
    whole = run_to_end(task(chosen))
    known, starts = None, 0
    while known is None or not known.complete:
        fresh = task(chosen)
        *_, stopped = islice(evaluator.evaluate(fresh, known), 1 if known is None else 2)
        known = Evaluation.model_validate_json(stopped.model_dump_json())
        starts += 1
    assert starts == whole.steps + 1 == 2 * 3 * 4 + 1
    assert without_seconds(known) == without_seconds(whole)


def test_progress_is_monotonic():
    """Steps increase by one, undecided verdicts and remaining passes never increase, and both end at 0."""
    found = list(evaluator.evaluate(task(attack("autoattack", steps=5, targets=2, queries=20, batch=8))))
    assert [one.steps_done for one in found] == list(range(found[0].steps + 1))
    assert [one.complete for one in found] == [False] * found[0].steps + [True]
    for before, after in pairwise(found):
        assert after.undecided <= before.undecided
        assert after.passes_left <= before.passes_left
    assert (found[-1].undecided, found[-1].passes_left) == (0, 0)
    clean = sum(letter == "R" for letter in found[0].budgets[0].verdicts)
    assert found[0].undecided == 2 * clean


def test_components_attack_robust_images_only():
    """A verdict of an earlier component never changes."""
    seen = list(evaluator.evaluate(task(attack("autoattack", eps=["0.12"], steps=10, targets=3, queries=50))))
    for before, after in pairwise(seen):
        for old, new in zip(before.budgets[0].verdicts, after.budgets[0].verdicts, strict=True):
            assert old in {new, "R"}
    last = seen[-1].budgets[0]
    assert set(last.verdicts) > {"c"}
    assert list(last.passes) == ["apgd-ce", "apgd-t", "fab-t", "square"]


def test_misclassified_image_is_wrong_at_every_budget():
    prepared = task(attack("apgd-ce", steps=2))
    wrong = Task(prepared.classifier, prepared.pixels, (prepared.labels + 1) % 10, prepared.attack, SEED)
    assert [one.verdicts for one in run_to_end(wrong).budgets] == ["W" * 20] * 2


def test_clean_has_one_budget_and_no_steps():
    found = run_to_end(task(Attack(name="clean", method="clean")))
    assert found.complete
    assert found.steps == 0
    assert [str(one.eps) for one in found.budgets] == ["0"]
    # 16 images are classified once more to measure memory, and a batch of 3 twice to find randomness.
    assert found.clean_passes.forward == 20 + 16 + 6
    assert found.budgets[0].passes == {}


@pytest.mark.parametrize("norm", ["Linf", "L2"])
def test_eps_of_zero_breaks_nothing(norm: str):
    """Robust accuracy at eps 0 is clean accuracy and needs no steps."""
    found = run_to_end(task(attack("autoattack", norm, ["0"])))
    assert set(found.budgets[0].verdicts) <= {"R", "W"}
    assert (found.steps, found.budgets[0].largest_distance) == (0, 0)


@pytest.mark.parametrize("classes", [2, 3, 4, 5])
def test_few_classes(classes: int):
    """Notes report fewer than nine targets, and that APGD-T is left out below four classes."""
    chosen = attack("autoattack", eps=["0.3"], steps=10, queries=50)
    found = run_to_end(task(chosen, classes=classes, count=10))
    assert found.classes == classes
    targets = f"{classes - 1} target classes instead of 9: the model has {classes} classes"
    assert targets in found.notes
    left_out = [note for note in found.notes if "left out" in note]
    assert left_out == ([] if classes >= 4 else [f"apgd-t left out: it needs 4 classes, the model has {classes}"])
    assert found.budgets[0].robust < 10
    assert ("apgd-t" in found.budgets[0].passes) == (classes >= 4)


def test_enough_classes_give_no_note():
    assert run_to_end(task(attack("apgd-t", eps=["0.3"]), count=2)).notes == ()


def test_attack_without_targets_has_no_note_on_targets():
    assert run_to_end(task(attack("apgd-ce", eps=["0.01"]), classes=3, count=2)).notes == ()


def test_deviations_from_standard_are_notes():
    found = run_to_end(task(attack("apgd-ce", eps=["0.01"], steps=2), count=2))
    assert found.notes == ("not the standard attack: steps = 2 (standard: 100)",)


def test_caller_s_random_state_does_not_matter():
    """The reference seeds the global generator, so earlier draws do not change the result."""
    prepared = task(attack("square", eps=["0.06"], queries=30))
    torch.manual_seed(1)
    one = run_to_end(prepared)
    torch.manual_seed(2)
    torch.rand(5)
    assert without_seconds(run_to_end(prepared)) == without_seconds(one)


@pytest.mark.parametrize("implementation", ["alignsec", "reference"])
def test_clean_top5(implementation: str):
    """Both implementations agree with torch.topk for each image."""
    prepared = task(
        attack(method="clean", norm=None, eps=[], implementation=implementation), trained_network(), count=60
    )
    prepared = Task(prepared.classifier, prepared.pixels, (prepared.labels + 3) % 10, prepared.attack, SEED)
    found = run_to_end(prepared).clean_top5
    with torch.no_grad():
        highest = prepared.classifier(prepared.pixels).topk(5).indices
    expected = (highest == prepared.labels[:, None]).any(1)
    assert found == "".join(str(int(one)) for one in expected)
    assert {"0", "1"} == set(found)


def test_top5_of_equal_logits():
    """Among equal logits, the first five classes and the class of argmax count."""
    labels = torch.arange(10)
    assert clean_pass.top5_flags(torch.zeros(10, 10), labels) == "1111100000"
    assert clean_pass.top5_flags(torch.eye(10), labels) == "1" * 10
    assert clean_pass.top5_flags(torch.zeros(3, 3), torch.arange(3)) == "111"
