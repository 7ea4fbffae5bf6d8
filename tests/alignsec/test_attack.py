"""Attacks as a study writes them."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from alignsec.attack import COMPONENTS, PARAMETERS, Attack, Method
from alignsec.budget import Budget

METHODS = get_args(Method)


def make(**fields: object) -> Attack:
    return Attack.model_validate(fields)


def linf(method: str = "autoattack", **fields: object) -> Attack:
    return make(**{"method": method, "norm": "Linf", "eps": ["1/255"], **fields})


def test_autoattack_is_the_standard_version():
    """Croce & Hein 2020: four components in this order, 100 steps, 9 targets, 5000 queries, one restart."""
    attack = linf()
    assert attack.components == ("apgd-ce", "apgd-t", "fab-t", "square")
    assert (attack.steps, attack.restarts, attack.targets, attack.queries) == (100, 1, 9, 5000)
    assert attack.deviations == ()


def test_every_method_is_described():
    assert set(COMPONENTS) == set(METHODS)
    assert {component for components in COMPONENTS.values() for component in components} == set(PARAMETERS)


def test_a_name_is_made_of_method_and_norm():
    assert linf().name == "autoattack-Linf"
    assert make(method="clean").name == "clean"
    assert linf(name="strong").name == "strong"


def test_budgets_ascend():
    attack = linf(eps=["4/255", "0", "0.001"])
    assert [str(budget) for budget in attack.budgets] == ["0", "0.001", "4/255"]


def test_clean_has_the_budget_zero():
    assert make(method="clean").budgets == (Budget.parse("0"),)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"method": "autoattack", "norm": "Linf"}, 'no eps; add eps = ["1/255"]'),
        ({"method": "autoattack", "eps": ["1/255"]}, 'no norm; add norm = "Linf"'),
        ({"method": "clean", "eps": ["1/255"]}, "no norm and no eps; remove them"),
        ({"method": "clean", "norm": "L2"}, "no norm and no eps; remove them"),
        ({"method": "square", "norm": "Linf", "eps": ["4"]}, 'has eps 4.*write 8 of 255 as "8/255"'),
        ({"method": "square", "norm": "Linf", "eps": ["1/255", "2/510"]}, "names one budget twice"),
        ({"method": "square", "norm": "L1", "eps": ["1"]}, "'Linf' or 'L2'"),
        ({"method": "square", "norm": "L2", "eps": ["1"], "search": "fp16"}, "'fp32', 'tf32' or 'bf16'"),
        ({"method": "clean", "search": "bf16"}, "has search, which clean does not use; it takes none"),
        (
            {"method": "square", "norm": "L2", "eps": ["1"], "search": "tf32", "implementation": "reference"},
            "has search, which the reference does not have",
        ),
        ({"method": "pgd", "norm": "L2", "eps": ["1"]}, "'apgd-ce'"),
        ({"method": "apgd-ce", "norm": "L2", "eps": ["1"], "steps": 0}, "greater than or equal to 1"),
        ({"method": "apgd-t", "norm": "L2", "eps": ["1"], "targets": 1000}, "less than or equal to 999"),
        ({"method": "apgd-ce", "norm": "L2", "eps": ["1"], "restart": 2}, "Extra inputs"),
        ({"method": "apgd-ce", "norm": "L2", "eps": ["1"], "name": "two\nlines"}, "pattern"),
    ],
)
def test_what_makes_no_sense_is_refused(fields: dict[str, object], says: str):
    with pytest.raises(ValidationError, match=says.replace("[", r"\[")):
        make(**fields)


@pytest.mark.parametrize("method", [method for method in METHODS if method != "clean"])
@pytest.mark.parametrize(("parameter", "value"), [("steps", 7), ("restarts", 2), ("targets", 3), ("queries", 10)])
def test_a_parameter_is_used_or_refused(method: str, parameter: str, value: int):
    """One that is taken changes the question and is told as a deviation; any other is refused by name."""
    used = any(parameter in PARAMETERS[component] for component in linf(method).components)
    if not used:
        with pytest.raises(ValidationError, match=f"has {parameter}, which {method} does not use; it takes "):
            linf(method, **{parameter: value})
        return
    changed = linf(method, **{parameter: value})
    assert changed.question != linf(method).question
    assert [text.split(" ")[0] for text in changed.deviations] == [parameter]


def test_clean_takes_no_parameter():
    with pytest.raises(ValidationError, match="has steps, which clean does not use; it takes none"):
        make(method="clean", steps=5)


def test_the_question_knows_numbers_not_their_spelling():
    assert linf(eps=["2/510", "0.001"]).question == linf(eps=["1/1000", "1/255"]).question


@pytest.mark.parametrize(
    "changes",
    [
        {"eps": ["2/255"]},
        {"norm": "L2"},
        {"name": "other"},
        {"implementation": "reference"},
        {"search": "bf16"},
        {"search": "tf32"},
        {"eps": ["1/255", "2/255"]},
    ],
)
def test_what_changes_the_verdicts_changes_the_question(changes: dict[str, object]):
    assert linf(**changes).question != linf().question


def test_the_shortcuts_are_told_and_leave_the_question_where_they_are_not_taken():
    two = {"eps": ["1/255", "2/255"]}
    assert linf(search="fp32", carry=False).question == linf().question
    assert linf(carry=True, **two).question != linf(**two).question
    assert linf(carry=True).question == linf().question, "there is one budget, and nothing to carry to"
    assert not linf(carry=True).deviations
    rough, carried = linf(search="bf16", carry=True, **two).deviations
    assert rough == "searched in bf16, successes judged again in fp32 (standard: all in fp32)"
    assert carried.startswith("images broken at one budget count as broken at larger ones")


def test_the_batch_of_a_clean_attack_is_no_question():
    assert make(method="clean", batch=7).question == make(method="clean").question


budgets = st.lists(st.integers(0, 255).map("{}/255".format), min_size=1, max_size=4, unique=True)


@given(st.sampled_from(METHODS), st.sampled_from(["Linf", "L2"]), budgets, st.integers(1, 50), st.data())
def test_json_keeps_an_attack(method: str, norm: str, eps: list[str], number: int, data: st.DataObject):
    """Every method with any of its own parameters comes back equal, question and all."""
    own = sorted({name for component in COMPONENTS[method] for name in PARAMETERS[component]})
    fields: dict[str, object] = {"method": method, "batch": number}
    if method != "clean":
        chosen = data.draw(st.sets(st.sampled_from(own)))
        fields |= {"norm": norm, "eps": eps, **dict.fromkeys(chosen, number)}
    attack = make(**fields)
    again = Attack.model_validate_json(attack.model_dump_json())
    assert again == attack
    assert again.question == attack.question
    assert [str(budget) for budget in again.budgets] == [str(budget) for budget in attack.budgets]


def test_the_batch_is_the_references_question_but_not_the_engines():
    """The reference's random draws depend on it; the engine's do not."""
    reference = {"implementation": "reference"}
    assert linf(batch=50, **reference).question != linf(**reference).question
    assert linf(batch=50).question == linf().question
