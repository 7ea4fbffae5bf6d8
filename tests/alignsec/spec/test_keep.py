"""The number of kept adversarial examples."""

import pytest
from pydantic import ValidationError

from alignsec.spec.attack import Attack
from alignsec.spec.keep import count_kept
from tests.tiny import attack


@pytest.mark.parametrize(
    ("keep", "expected"),
    [(None, [0, 3, 4]), (0, [0, 0, 0]), (2, [0, 2, 2]), (50, [0, 3, 50]), ("all", [0, 3, 99])],
)
def test_the_first_broken_images_are_kept(keep: object, expected: list[int]):
    """By default, four; never more than are broken."""
    assert [count_kept(attack(keep=keep), broken) for broken in (0, 3, 99)] == expected


@pytest.mark.parametrize("keep", [-1, "none", 1.5, 2_000_000])
def test_other_values_are_rejected(keep: object):
    with pytest.raises(ValidationError, match="keep"):
        attack(keep=keep)


@pytest.mark.parametrize(
    "fields", [{"method": "clean"}, {"method": "corruption", "corruption": "fog", "severity": 1, "generator": "x"}]
)
def test_attacks_without_adversarial_examples_keep_none(fields: dict[str, object]):
    assert count_kept(Attack.model_validate(fields), 5) == 0
    with pytest.raises(ValidationError, match="makes no adversarial examples; remove it"):
        Attack.model_validate({**fields, "keep": 2})
