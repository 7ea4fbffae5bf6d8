"""Levels of attacks: budgets, severities, and clean images."""

import pytest

from alignsec.spec.attack import Attack
from alignsec.spec.budget import Budget
from alignsec.spec.level import Level, find_kind, find_label_kind, join_labels, strip_kind

FOG = {"method": "corruption", "corruption": "fog", "severity": 3}
APGD = {"method": "apgd-ce", "norm": "Linf", "eps": ["2/510"]}


@pytest.mark.parametrize(
    ("fields", "level"),
    [
        ({"method": "clean"}, Level("0", 0.0, "clean")),
        (FOG, Level("severity 3", 3, "severity")),
        (APGD, Level("2/510", 1 / 255, "eps")),
    ],
)
def test_every_attack_has_levels_of_one_kind(fields: dict[str, object], level: Level):
    attack = Attack.model_validate(fields)
    (budget,) = attack.budgets
    assert attack.level(budget) == level
    assert attack.level_kind == find_kind(attack.method) == level.kind


def test_labels_tell_their_kind():
    budget, severity = Level.from_budget(Budget.parse("1/255")), Level.from_severity(5)
    assert [find_label_kind(level.label) for level in (budget, severity)] == ["eps", "severity"]
    assert [strip_kind(level.label) for level in (budget, severity)] == ["1/255", "5"]


def test_joined_labels_name_the_kind_once():
    assert join_labels(["severity 1", "severity 3", "severity 5"]) == "severity 1, 3, 5"
    assert join_labels(["0.001", "0.5/255", "1/255"], " and ") == "0.001, 0.5/255 and 1/255"
    assert join_labels(["severity 2"], " and ") == "severity 2"
