"""Outcomes: validation of records, and counts from verdicts."""

from typing import Any

import pytest
from pydantic import ValidationError

from alignsec.spec.verdicts import BudgetVerdicts
from tests.tiny import attack, pair, record


def test_counts_are_computed_from_the_verdicts():
    found = record(pair(), ["RRcW", "RstW"])
    assert found.clean_correct == 3
    assert [budget.robust for budget in found.budgets] == [2, 1]


def test_mended_images_are_wrong_when_clean_and_right_when_corrupted():
    found = record(pair(attack=attack(eps=["1/255"])), ["RxWmm"])
    assert (found.clean_correct, found.budgets[0].robust) == (2, 3)


def test_clean_top5_has_one_digit_per_image_and_includes_correct_images():
    of = pair(attack=attack(eps=["1/255"]))
    assert record(of, ["RcWW"], clean_top5="1110").clean_top5_correct == 3
    assert record(of, ["RcWW"]).clean_top5_correct is None
    for digits in ("1011", "111", "11110"):
        with pytest.raises(ValidationError, match="clean_top5 must have one digit per image"):
            record(of, ["RcWW"], clean_top5=digits)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": [0, 1, 2]}, "one label per image"),
        ({"images": ["a", "b", "c", "c"]}, "expected distinct images"),
        ({"labels": [0, 1, 2, -1]}, "greater than or equal to 0"),
        ({"classes": 1}, "greater than or equal to 2"),
        ({"budgets": []}, "at least 1"),
        ({"id": "other"}, "is not that of the pair"),
    ],
)
def test_an_inconsistent_record_is_rejected(changes: dict[str, Any], message: str):
    with pytest.raises(ValidationError, match=message):
        record(pair(), **changes)


@pytest.mark.parametrize(
    ("verdicts", "message"),
    [
        (["RRcW", "Rst"], "expected one verdict per image"),
        (["RRcW", "RRcR"], "wrong when clean at one budget and not at another"),
        (["RRcW", "RR?W"], "unknown verdict"),
        (["RRcW", "RRrW"], "unknown verdict"),
    ],
)
def test_inconsistent_verdicts_are_rejected(verdicts: list[str], message: str):
    with pytest.raises(ValidationError, match=message):
        record(pair(), verdicts)


def test_budgets_must_be_those_of_the_attack():
    short = record(pair(attack=attack(eps=["1/255"])), ["RRcW"])
    with pytest.raises(ValidationError, match="not those of the attack"):
        record(pair(), budgets=short.budgets)


@pytest.mark.parametrize("field", ["largest_distance", "seconds"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0])
def test_numbers_must_be_finite_and_not_negative(field: str, value: float):
    fields = {"eps": "1/255", "verdicts": "R", "largest_distance": 0, "seconds": 0, "passes": {}}
    with pytest.raises(ValidationError, match=field):
        BudgetVerdicts.model_validate({**fields, field: value})
