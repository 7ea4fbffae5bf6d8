"""Attacks: defaults, validation, fingerprints and deviations from the standard version."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from alignsec.spec.attack import Attack
from alignsec.spec.budget import Budget
from alignsec.spec.components import COMPONENTS, methods
from alignsec.spec.deviations import describe_deviations, describe_deviations_for
from alignsec.spec.versions import WITHOUT_L1

METHODS = methods()


def make(**fields: object) -> Attack:
    return Attack.model_validate(fields)


def linf(method: str = "autoattack", **fields: object) -> Attack:
    return make(**{"method": method, "norm": "Linf", "eps": ["1/255"], **fields})


def list_parameters(attack: Attack) -> dict[str, tuple[int, ...]]:
    return {
        component: tuple(
            attack.parameter_value(parameter, component) for parameter in sorted(COMPONENTS[component].parameters)
        )
        for component in attack.components
    }


@pytest.mark.parametrize("norm", ["Linf", "L2"])
def test_autoattack_is_the_standard_version(norm: str):
    """Croce & Hein 2020: four components in this order, 100 steps, 9 targets, 5000 queries, one restart."""
    attack = make(method="autoattack", norm=norm, eps=["1/255"])
    assert describe_deviations(attack) == ()
    assert list(list_parameters(attack)) == ["apgd-ce", "apgd-t", "fab-t", "square"]
    assert list_parameters(attack) == {
        "apgd-ce": (1, 100),
        "apgd-t": (1, 100, 9),
        "fab-t": (100, 9),
        "square": (5000,),
    }


def test_the_standard_version_for_l1_has_other_values():
    """`_set_version` of pyautoattack sets five restarts of APGD-CE and five targets of APGD-T."""
    attack = make(method="autoattack", norm="L1", eps=["12"])
    assert describe_deviations(attack) == ()
    assert list_parameters(attack) == {
        "apgd-ce": (5, 100),
        "apgd-t": (1, 100, 5),
        "fab-t": (100, 9),
        "square": (5000,),
    }
    assert attack.fingerprint["restarts"] == {"apgd-ce": 5, "apgd-t": 1}
    assert attack.fingerprint["targets"] == {"apgd-t": 5, "fab-t": 9}


def test_a_given_value_applies_to_every_component():
    attack = make(method="autoattack", norm="L1", eps=["12"], restarts=5, targets=5)
    assert list_parameters(attack)["apgd-t"] == (5, 100, 5)
    assert list_parameters(attack)["fab-t"] == (100, 5)
    assert describe_deviations(attack) == (
        "restarts = 5 (standard: 5 for apgd-ce, 1 for apgd-t)",
        "targets = 5 (standard: 5 for apgd-t, 9 for fab-t)",
    )
    assert attack.fingerprint["restarts"] == 5


def test_a_given_standard_value_is_not_a_deviation():
    assert linf(restarts=1, targets=9).fingerprint == linf().fingerprint
    assert describe_deviations(linf(restarts=1, targets=9)) == ()
    few = make(method="apgd-ce", norm="L1", eps=["12"], restarts=5)
    assert few.fingerprint == make(method="apgd-ce", norm="L1", eps=["12"]).fingerprint


@pytest.mark.parametrize(
    ("norm", "classes", "note"),
    [
        ("Linf", 5, "4 target classes instead of 9: the model has 5 classes"),
        ("L1", 5, "4 target classes instead of 5 for apgd-t, 9 for fab-t: the model has 5 classes"),
        ("L1", 8, "7 target classes instead of 9: the model has 8 classes"),
    ],
)
def test_fewer_target_classes_are_noted(norm: str, classes: int, note: str):
    assert describe_deviations_for(make(method="autoattack", norm=norm, eps=["1"]), classes) == [note]


def test_the_default_name_is_method_and_norm():
    assert linf().name == "autoattack-Linf"
    assert make(method="clean").name == "clean"
    assert linf(name="strong").name == "strong"


def test_budgets_are_sorted():
    attack = linf(eps=["4/255", "0", "0.001"])
    assert [str(budget) for budget in attack.budgets] == ["0", "0.001", "4/255"]


def test_clean_has_the_budget_zero():
    assert make(method="clean").budgets == (Budget.parse("0"),)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"method": "autoattack", "norm": "Linf"}, 'no eps; add eps = ["1/255"]'),
        ({"method": "autoattack", "eps": ["1/255"]}, 'no norm; add norm = "Linf"'),
        ({"method": "clean", "eps": ["1/255"]}, "no norm and no eps; remove them"),
        ({"method": "clean", "norm": "L2"}, "no norm and no eps; remove them"),
        ({"method": "square", "norm": "Linf", "eps": ["4"]}, 'has eps 4.*write 8 of 255 as "8/255"'),
        ({"method": "square", "norm": "Linf", "eps": ["1/255", "2/510"]}, "names one budget twice"),
        ({"method": "square", "norm": "L0", "eps": ["1"]}, "'Linf', 'L2' or 'L1'"),
        ({"method": "autoattack", "norm": "L1", "eps": ["1"], "steps": 2}, "fewer than 3 steps.*give 3 or more"),
        ({"method": "square", "norm": "L2", "eps": ["1"], "search": "fp16"}, "'fp32', 'tf32' or 'bf16'"),
        ({"method": "clean", "search": "bf16"}, "has search, which clean does not use; it uses none"),
        ({"method": "clean", "compile": True}, "has compile, which clean does not use; it uses none"),
        (
            {"method": "corruption", "corruption": "fog", "severity": 1, "compile": True},
            "has compile, which corruption does not use; it uses none",
        ),
        (
            {"method": "square", "norm": "L2", "eps": ["1"], "compile": True, "implementation": "reference"},
            "has compile, which the reference does not have",
        ),
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
def test_invalid_attacks_are_rejected(fields: dict[str, object], message: str):
    with pytest.raises(ValidationError, match=message.replace("[", r"\[")):
        make(**fields)


@pytest.mark.parametrize("method", [method for method in METHODS if METHODS[method]])
@pytest.mark.parametrize(
    ("parameter", "value"),
    [("steps", 7), ("restarts", 2), ("targets", 3), ("queries", 10), ("eot", 2), ("candidates", 4)],
)
def test_a_parameter_is_used_or_rejected(method: str, parameter: str, value: int):
    """A used parameter changes the fingerprint and is listed as a deviation; any other is rejected."""
    used = any(parameter in COMPONENTS[component].parameters for component in linf(method).components)
    if not used:
        with pytest.raises(ValidationError, match=f"has {parameter}, which {method} does not use; it uses "):
            linf(method, **{parameter: value})
        return
    changed = linf(method, **{parameter: value})
    assert changed.fingerprint != linf(method).fingerprint
    assert [text.split(" ")[0] for text in describe_deviations(changed)] == [parameter]


def test_clean_has_no_parameters():
    with pytest.raises(ValidationError, match="has steps, which clean does not use; it uses none"):
        make(method="clean", steps=5)


def test_the_fingerprint_depends_on_numbers_not_on_their_text():
    assert linf(eps=["2/510", "0.001"]).fingerprint == linf(eps=["1/1000", "1/255"]).fingerprint


@pytest.mark.parametrize(
    "changes",
    [
        {"eps": ["2/255"]},
        {"norm": "L2"},
        {"norm": "L1"},
        {"name": "other"},
        {"implementation": "reference"},
        {"search": "bf16"},
        {"search": "tf32"},
        {"compile": True},
        {"eps": ["1/255", "2/255"]},
    ],
)
def test_a_change_of_the_evaluation_changes_the_fingerprint(changes: dict[str, object]):
    assert linf(**changes).fingerprint != linf().fingerprint


def test_shortcuts_are_deviations_only_if_they_have_an_effect():
    two = {"eps": ["1/255", "2/255"]}
    assert linf(search="fp32", compile=False, carry=False).fingerprint == linf().fingerprint
    assert linf(carry=True, **two).fingerprint != linf(**two).fingerprint
    assert linf(carry=True).fingerprint == linf().fingerprint, "with one budget, carry has no effect"
    assert not describe_deviations(linf(carry=True))
    bf16, compiled, carried = describe_deviations(linf(search="bf16", compile=True, carry=True, **two))
    assert bf16 == "searched in bf16, successes judged again in fp32 (standard: all in fp32)"
    assert compiled.startswith("searched with torch.compile, successes judged again by the uncompiled network")
    assert carried.startswith("images broken at one budget count as broken at larger ones")


def test_the_batch_does_not_change_the_fingerprint_of_a_clean_attack():
    assert make(method="clean", batch=7).fingerprint == make(method="clean").fingerprint


budgets = st.lists(st.integers(0, 255).map("{}/255".format), min_size=1, max_size=4, unique=True)


@given(st.sampled_from([*METHODS]), st.sampled_from(["Linf", "L2", "L1"]), budgets, st.integers(3, 50), st.data())
def test_json_keeps_an_attack(method: str, norm: str, eps: list[str], number: int, data: st.DataObject):
    """An attack with any of its parameters is equal after a round trip, and so is its fingerprint."""
    own = sorted({name for component in METHODS[method] for name in COMPONENTS[component].parameters})
    fields: dict[str, object] = {"method": method, "batch": number}
    if method == "corruption":
        fields |= {
            "corruption": "fog",
            "severity": number % 5 + 1,
            "generator": data.draw(st.sampled_from(["", "x 1"])),
        }
    elif method != "clean":
        chosen = data.draw(st.sets(st.sampled_from(own)))
        norm = "Linf" if method in WITHOUT_L1 else norm
        fields |= {"norm": norm, "eps": eps, **dict.fromkeys(chosen, number)}
    attack = make(**fields)
    again = Attack.model_validate_json(attack.model_dump_json())
    assert again == attack
    assert again.fingerprint == attack.fingerprint
    assert [str(budget) for budget in again.budgets] == [str(budget) for budget in attack.budgets]


def test_the_batch_changes_the_fingerprint_of_the_reference_only():
    """Random draws of the reference depend on it; those of the engine do not."""
    reference = {"implementation": "reference"}
    assert linf(batch=50, **reference).fingerprint != linf(**reference).fingerprint
    assert linf(batch=50).fingerprint == linf().fingerprint
