"""Parity of the components of AutoAttack's versions "plus" and "rand" with the reference."""

import pytest

from alignsec.evaluation import reference_run
from alignsec.spec.attack import Attack
from tests.alignsec.engine import small

BUDGETS = {"Linf": ("0.05", "0.1"), "L2": ("0.3", "0.8"), "L1": ("1.2",)}


def short(method, norm, **more):
    return Attack.model_validate({"method": method, "norm": norm, "eps": list(BUDGETS[norm]), "steps": 6, **more})


def replayed_and_reference(attack, images=24, robust=False):
    """Return the verdicts of the engine's replay and of the reference."""
    task = small.task(robust, attack, images=images)
    *_, theirs = reference_run.evaluate(task)
    return small.verdicts(small.finished(task, replay=True, slots=100)), small.verdicts(theirs)


@pytest.mark.parametrize(
    ("method", "norm", "parameters"),
    [
        ("apgd-dlr", "Linf", {"restarts": 2}),
        ("apgd-dlr", "L2", {"restarts": 2}),
        ("apgd-dlr", "L1", {"restarts": 2}),
        ("fab", "Linf", {"restarts": 2}),
        ("fab", "L2", {"restarts": 2}),
        ("apgd-ce-eot", "Linf", {"eot": 3}),
        ("apgd-dlr-eot", "L2", {"eot": 2, "restarts": 2}),
        ("autoattack-plus", "Linf", {"restarts": 2, "queries": 40}),
        ("autoattack-rand", "L2", {"eot": 2}),
    ],
)
def test_every_verdict_equals_the_reference_s(method, norm, parameters):
    """Expect the same letter, and both broken and robust images."""
    own, theirs = replayed_and_reference(short(method, norm, **parameters))
    assert own == theirs
    assert len(set("".join(theirs))) > 1


def test_the_versions_have_the_reference_s_parameters():
    plus = Attack.model_validate({"method": "autoattack-plus", "norm": "Linf", "eps": ["0.1"]})
    assert {name: plus.parameters(name).get("restarts") for name in plus.components} == {
        "apgd-ce": 5,
        "apgd-dlr": 5,
        "fab": 5,
        "square": None,
        "apgd-t": 1,
        "fab-t": None,
    }
    rand = Attack.model_validate({"method": "autoattack-rand", "norm": "L2", "eps": ["0.1"]})
    assert rand.parameters("apgd-dlr-eot") == {"steps": 100, "restarts": 1, "eot": 20}


@pytest.mark.parametrize("method", ["autoattack-plus", "autoattack-rand"])
def test_versions_without_l1_are_rejected(method):
    with pytest.raises(ValueError, match=f"has norm L1, for which {method} is not defined"):
        short(method, "L1")


def test_untargeted_fab_does_not_depend_on_the_slots():
    task = small.task(False, short("fab", "Linf", restarts=2), images=10)
    assert small.verdicts(small.finished(task, slots=3)) == small.verdicts(small.finished(task, slots=100))
