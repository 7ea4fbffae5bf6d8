"""Budgets: the largest distance between an adversarial image and the clean one, kept as an exact number."""

import re
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache, total_ordering

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

LARGEST = 1000
"""No L2 distance in [0,1] is larger than the square root of the number of pixel values: 388 for 3 x 224 x 224. L1
distances can be larger, but published studies use about 60 (Croce & Hein 2021)."""

_NUMBER = re.compile(r"[+-]?(\d{1,40}(\.\d{0,40})?|\.\d{1,40})(e[+-]?\d{1,2})?", re.ASCII | re.IGNORECASE)
"""The length is bounded because 1e999999999 as an exact fraction would fill the memory."""


@total_ordering
@dataclass(frozen=True)
class Budget:
    """One eps in units of pixels in [0,1], as the study writes it and as an exact number.

    "1/255", "0.5/255" and "0.001" are budgets. Two budgets are equal if their numbers are, such as "2/510" and
    "1/255". Budgets are text because the number 0.00392 could be 1/255 rounded, or not.
    """

    exact: Fraction
    text: str

    @classmethod
    def parse(cls, text: str) -> "Budget":
        """Parse "N", "N/M" or decimals of either, such as "0.5/255".

        Raises:
            ValueError: If the text has another form, or the number is not between 0 and 1000.
        """
        above, slash, below = (part.strip() for part in text.partition("/"))
        parts = [above, below] if slash else [above]
        if not all(_NUMBER.fullmatch(part) for part in parts) or (slash and not Decimal(below)):
            raise ValueError('is not a budget; write a number or a fraction, such as "0.001" or "4/255"')
        exact = Fraction(Decimal(above)) / (Fraction(Decimal(below)) if slash else 1)
        if not 0 <= exact <= LARGEST:
            raise ValueError(f"is out of range; eps must be between 0 and {LARGEST}")
        return cls(exact, text.strip())

    def __float__(self) -> float:
        return float(self.exact)

    def __str__(self) -> str:
        return self.text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Budget) and self.exact == other.exact

    def __lt__(self, other: "Budget") -> bool:
        return self.exact < other.exact

    def __hash__(self) -> int:
        return hash(self.exact)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Validate text and serialise to text. A number is rejected, with the text to write instead."""
        return core_schema.no_info_plain_validator_function(
            _validate, serialization=core_schema.to_string_ser_schema()
        )


# Cached: a study has a handful of budgets, and each of its outcome files contains them twice.
_parse_cached = lru_cache(maxsize=1024)(Budget.parse)


def _validate(value: object) -> Budget:
    if isinstance(value, Budget):
        return value
    if not isinstance(value, str):
        raise PydanticCustomError("budget", 'is not a budget; write it as text, such as "4/255" or "0.001"')
    try:
        return _parse_cached(value)
    except ValueError as error:
        raise PydanticCustomError("budget", "{why}", {"why": str(error)}) from None
