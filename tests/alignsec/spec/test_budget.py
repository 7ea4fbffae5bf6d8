"""Budgets: exact numbers, their order and their text."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from alignsec.spec.budget import LARGEST, Budget


class Holder(BaseModel):
    """A model with a budget field."""

    eps: Budget


whole = st.integers(0, LARGEST)
decimals = st.decimals(0, LARGEST, allow_nan=False, places=4).map(str)
fractions = st.builds("{}/{}".format, st.integers(0, 255), st.integers(1, 1000))
mixed = st.builds("{}/{}".format, st.decimals(0, 255, places=2), st.integers(1, 1000))
texts = st.one_of(whole.map(str), decimals, fractions, mixed)


@given(texts)
def test_the_text_of_a_budget_is_kept(text: str):
    assert str(Budget.parse(text)) == text
    assert Budget.parse(str(Budget.parse(text))) == Budget.parse(text)


@given(texts)
def test_json_keeps_number_and_text_of_a_budget(text: str):
    holder = Holder(eps=Budget.parse(text))
    again = Holder.model_validate_json(holder.model_dump_json())
    assert (again.eps.exact, again.eps.text) == (holder.eps.exact, text)


@given(st.integers(0, 255), st.integers(1, 10_000))
def test_a_fraction_is_exact(above: int, below: int):
    assert Budget.parse(f"{above}/{below}").exact == Fraction(above, below)


def test_decimals_are_exact():
    """0.001 is exactly 1/1000, not the nearest binary number."""
    assert Budget.parse("0.001").exact == Fraction(1, 1000)
    assert Budget.parse("0.5/255").exact == Fraction(1, 510)
    assert float(Budget.parse("4/255")) == 4 / 255


@given(texts, texts)
def test_budgets_are_ordered_by_their_numbers(one: str, other: str):
    a, b = Budget.parse(one), Budget.parse(other)
    assert (a < b, a == b, a > b) == (a.exact < b.exact, a.exact == b.exact, a.exact > b.exact)
    if a == b:
        assert hash(a) == hash(b)


def test_budgets_with_equal_numbers_are_equal():
    assert len({Budget.parse("2/510"), Budget.parse("1/255"), Budget.parse("0.5/127.5")}) == 1
    assert Budget.parse("1/255") != "1/255"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "1/",
        "/255",
        "x",
        "1/0",
        "0/0",
        "1/2/3",
        "nan",
        "inf",
        "Infinity",
        "1,5",
        "4/255 px",
        "0x1",
        "½",
        "--1",
    ],
)
def test_text_that_is_not_a_number_is_rejected(text: str):
    with pytest.raises(ValueError, match="is not a budget; write a number or a fraction"):
        Budget.parse(text)


@pytest.mark.parametrize("text", ["-1", "-1/255", "1000.5", "1001", "255000/2"])
def test_a_number_out_of_range_is_rejected(text: str):
    with pytest.raises(ValueError, match="out of range"):
        Budget.parse(text)


@pytest.mark.parametrize("text", ["1e999999999", "1e-999999999", "1/1e999999999", "9" * 5000])
def test_a_huge_number_is_rejected_at_once(text: str):
    """As a fraction, 1e999999999 would fill the memory."""
    with pytest.raises(ValueError, match=r"is not a budget|out of range"):
        Budget.parse(text)


@pytest.mark.parametrize("value", [0.00392, 1, True, None, ["1/255"]])
def test_a_number_without_quotes_is_rejected_with_an_example(value: object):
    """0.00392 could be 1/255 rounded, or not."""
    with pytest.raises(ValidationError, match='write it as text, such as "4/255"'):
        Holder.model_validate({"eps": value})
