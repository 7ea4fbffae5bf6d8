"""Evaluate: the record of a model in memory."""

import pytest

import alignsec
from alignsec.errors import ConfigErrors
from tests.alignsec.engine import small


def labelled_digits(count=6):
    images, labels = small.digits()
    return images[1000 : 1000 + count], labels[1000 : 1000 + count]


def test_the_record_has_a_verdict_per_image_and_budget_and_survives_json():
    images, labels = labelled_digits()
    record = alignsec.evaluate(
        small.network(False), images, labels, method="apgd-ce", eps=["0.3", "1/255"], steps=5
    )
    small_budget, large_budget = record.budgets
    assert (str(small_budget.eps), small_budget.verdicts) == ("1/255", "RRRRRR")
    assert large_budget.verdicts == "cccccc"
    assert record.robust_accuracy == {"1/255": 1.0, "0.3": 0.0}
    assert record.clean_accuracy == 1.0
    assert alignsec.EvaluationRecord.model_validate_json(record.model_dump_json()) == record


def test_clean_accuracy_needs_no_budget():
    images, labels = labelled_digits()
    record = alignsec.evaluate(small.network(False), images, (labels + 1) % 10, method="clean")
    assert record.clean_accuracy == 0.0
    assert record.budgets[0].verdicts == "W" * 6


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"method": "pgd"}, "evaluate: method: Input should be 'clean'"),
        ({"eps": "8"}, r'evaluate: has eps 8, .* write 8 of 255 as "8/255"'),
        ({"method": "apgd-ce", "queries": 5}, "has queries, which apgd-ce does not use"),
        ({"step": 5}, "evaluate: step: Extra inputs"),
        ({"batch": 0}, "batch size: 0 must be an integer"),
    ],
)
def test_bad_fields_of_the_attack_are_errors(fields, expected):
    images, labels = labelled_digits()
    with pytest.raises(ConfigErrors, match=expected):
        alignsec.evaluate(small.network(False), images, labels, **fields)
