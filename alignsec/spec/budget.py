"""Budgets: how far an adversarial image may lie from the clean one, kept exact."""

import re
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache, total_ordering

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

LARGEST = 1000
"""No L2 distance in [0,1] exceeds the root of the number of pixel values: 388 at 3x224x224; in L1, where one could
go further, what is studied there is about 60 (Croce & Hein 2021)."""

_NUMBER = re.compile(r"[+-]?(\d{1,40}(\.\d{0,40})?|\.\d{1,40})(e[+-]?\d{1,2})?", re.ASCII | re.IGNORECASE)
"""Of bounded length: as an exact fraction, 1e999999999 would fill the memory."""


@total_ordering
@dataclass(frozen=True)
class Budget:
    """One eps in units of pixels in [0,1], as its author wrote it and as an exact number.

    "1/255", "0.5/255" and "0.001" are budgets. Two budgets are equal when their numbers are, so "2/510"
    and "1/255" are the same question. Text, because 0.00392 in a file could be 1/255 rounded, or not.
    """

    exact: Fraction
    text: str

    @classmethod
    def parse(cls, text: str) -> "Budget":
        """Read "N", "N/M" or decimals of either, such as "0.5/255".

        Raises ValueError for anything else and for a number outside 0 to 1000.
        """
        above, slash, below = (part.strip() for part in text.partition("/"))
        parts = [above, below] if slash else [above]
        if not all(_NUMBER.fullmatch(part) for part in parts) or (slash and not Decimal(below)):
            raise ValueError('is not a budget; write a number or a fraction, such as "0.001" or "4/255"')
        exact = Fraction(Decimal(above)) / (Fraction(Decimal(below)) if slash else 1)
        if not 0 <= exact <= LARGEST:
            raise ValueError(f"is out of range; eps lies between 0 and {LARGEST}")
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
        """Read from text, write as text; a bare number is refused with the text to write instead."""
        return core_schema.no_info_plain_validator_function(
            _read, serialization=core_schema.to_string_ser_schema()
        )


# A study has a handful of budgets, and each of its outcome files names them twice.
_parsed = lru_cache(maxsize=1024)(Budget.parse)


def _read(value: object) -> Budget:
    if isinstance(value, Budget):
        return value
    if not isinstance(value, str):
        raise PydanticCustomError("budget", 'is not a budget; write it as text, such as "4/255" or "0.001"')
    try:
        return _parsed(value)
    except ValueError as error:
        raise PydanticCustomError("budget", "{why}", {"why": str(error)}) from None
