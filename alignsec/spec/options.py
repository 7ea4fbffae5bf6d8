"""Options of a user's own code, from a study file: they travel in JSON and are part of a pair's digest."""

from typing import Annotated, Any

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from alignsec import digest


def _check_json(options: dict[str, Any]) -> dict[str, Any]:
    """Require values that JSON can hold."""
    try:
        digest.canonical(options)
    except (TypeError, ValueError):
        why = "must hold only numbers, text, true, false, lists and tables; found a date, a time, nan or inf"
        raise PydanticCustomError("options", why) from None
    return options


Options = Annotated[dict[str, Any], AfterValidator(_check_json)]
"""Keyword arguments of a callable."""
