"""Outcomes: a record's verdicts, images and pair tell one story, or there is no record."""

from typing import Any

import pytest
from pydantic import ValidationError

from alignsec.spec.verdicts import BudgetVerdicts
from tests.tiny import attack, pair, record


def test_counts_come_from_the_verdicts():
    what = record(pair(), ["RRcW", "RstW"])
    assert what.clean_correct == 3
    assert [budget.robust for budget in what.budgets] == [2, 1]


def test_mended_images_are_wrong_when_clean_and_right_when_corrupted():
    what = record(pair(attack=attack(eps=["1/255"])), ["RxWmm"])
    assert (what.clean_correct, what.budgets[0].robust) == (2, 3)


def test_top_5_has_a_digit_an_image_and_holds_every_right_one():
    of = pair(attack=attack(eps=["1/255"]))
    assert record(of, ["RcWW"], clean_top5="1110").clean_top5_correct == 3
    assert record(of, ["RcWW"]).clean_top5_correct is None
    for digits in ("1011", "111", "11110"):
        with pytest.raises(ValidationError, match="not among the top five, or has no digit"):
            record(of, ["RcWW"], clean_top5=digits)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"labels": [0, 1, 2]}, "one label an image"),
        ({"images": ["a", "b", "c", "c"]}, "each image once"),
        ({"labels": [0, 1, 2, -1]}, "greater than or equal to 0"),
        ({"classes": 1}, "greater than or equal to 2"),
        ({"budgets": []}, "at least 1"),
        ({"id": "other"}, "is not that of the pair"),
    ],
)
def test_a_record_tells_one_story(changes: dict[str, Any], says: str):
    with pytest.raises(ValidationError, match=says):
        record(pair(), **changes)


@pytest.mark.parametrize(
    ("verdicts", "says"),
    [
        (["RRcW", "Rst"], "one verdict an image"),
        (["RRcW", "RRcR"], "wrong when clean at one budget and not at another"),
        (["RRcW", "RR?W"], "unknown verdict"),
        (["RRcW", "RRrW"], "unknown verdict"),
    ],
)
def test_verdicts_fit_the_images_and_each_other(verdicts: list[str], says: str):
    with pytest.raises(ValidationError, match=says):
        record(pair(), verdicts)


def test_budgets_are_those_of_the_attack():
    short = record(pair(attack=attack(eps=["1/255"])), ["RRcW"])
    with pytest.raises(ValidationError, match="not those the attack asks for"):
        record(pair(), budgets=short.budgets)


@pytest.mark.parametrize("field", ["largest_distance", "seconds"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0])
def test_numbers_are_finite(field: str, value: float):
    fields = {"eps": "1/255", "verdicts": "R", "largest_distance": 0, "seconds": 0, "passes": {}}
    with pytest.raises(ValidationError, match=field):
        BudgetVerdicts.model_validate({**fields, field: value})
