"""Error messages for study files: pydantic's validation errors in the terms of a study's author."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from alignsec.errors import ConfigError, nearest
from alignsec.names import NAME_PATTERN
from alignsec.schema import SHA256_PATTERN
from alignsec.study import fields

REMEDIES = {
    "missing": "is missing; add it",
    "string_type": "is not text; put it in quotes",
    "int_type": "is not a whole number",
    "int_from_float": "is not a whole number",
    "float_type": "is not a number",
    "dict_type": "is not a table; write { key = value, ... }",
    "model_type": "is not a table; write { key = value, ... }",
    "tuple_type": "is not a list; write [ ... ]",
    "list_type": "is not a list; write [ ... ]",
    "path_type": "is not text; put the path in quotes",
    "too_short": "is empty; expected at least one entry",
    "string_too_short": "is empty",
}
PATTERNS = {
    SHA256_PATTERN: "is not a SHA-256 digest; expected 64 digits and letters a to f, as sha256sum prints it",
    fields.DATE_PATTERN: 'is not a date; write year-month-day, such as "2025-09-08"',
    fields.RUN_NAME_PATTERN: "is not a valid run name; use letters, digits, - and _, at most 64",
    NAME_PATTERN: "has a control character, such as a line break, or an invisible character; it must be one line",
}


def explain_validation_error(
    file: str,
    model: type[BaseModel],
    error: ValidationError,
    entries: Mapping[str, Sequence[int]] = MappingProxyType({}),
) -> list[ConfigError]:
    """Return each of pydantic's errors with its field and a remedy.

    Args:
        file: The validated file.
        model: The validated pydantic model.
        error: The errors.
        entries: For a table whose entries were expanded, the index of the original entry of each expanded one.
    """
    details_list = error.errors()
    # pydantic also reports a list as empty if all its entries are invalid.
    invalid = {details["loc"][:end] for details in details_list for end in range(1, len(details["loc"]))}
    found = [
        _explain(file, model, details, entries)
        for details in details_list
        if not (details["type"] == "too_short" and details["loc"] in invalid)
    ]
    return list(dict.fromkeys(found))


def _format_field(location: Sequence[int | str]) -> str:
    """Return a field's path in the form `attacks[1].eps[0]`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return text.removeprefix(".")


def _explain(
    file: str, model: type[BaseModel], details: ErrorDetails, entries: Mapping[str, Sequence[int]]
) -> ConfigError:
    location, kind = details["loc"], details["type"]
    match location:
        case (str(table), int(index), *rest) if table in entries:
            location = (table, entries[table][index], *rest)
    given = "" if kind == "missing" or isinstance(details["input"], dict) else _quote(details["input"])
    return ConfigError(path=file, field=_format_field(location), given=given, remedy=_remedy(model, details))


def _remedy(model: type[BaseModel], details: ErrorDetails) -> str:
    kind, context = details["type"], details.get("ctx", {})
    if kind == "extra_forbidden":
        known = _sibling_keys(model, details["loc"])
        return f"is an unknown key; {nearest(str(details['loc'][-1]), known)}"
    if kind == "literal_error":
        choices = [word.strip(" '") for word in str(context["expected"]).replace(" or ", ",").split(",")]
        close = get_close_matches(str(details["input"]), choices, n=1)
        return f"is not one of {', '.join(choices)}" + (f"; did you mean {close[0]}?" if close else "")
    if kind == "tuple_type" and isinstance(details["input"], dict):
        return f"is one table, expected a list of tables; write [[{details['loc'][-1]}]]"
    if kind == "string_pattern_mismatch":
        return PATTERNS.get(str(context["pattern"]), f"does not match {context['pattern']}")
    return REMEDIES.get(kind) or details["msg"].replace("Input should be", "must be")


def _sibling_keys(model: type[BaseModel], location: Sequence[int | str]) -> list[str]:
    """Return the valid keys of the table that contains an unknown key."""
    table: type[BaseModel] | None = model
    for part in location[:-1]:
        if table is not None and isinstance(part, str):
            table = _find_table(table.model_fields[part].annotation)
    return sorted(table.model_fields) if table else []


def _find_table(annotation: Any) -> type[BaseModel] | None:  # noqa: ANN401 - annotations have no common type
    """Return the table type in an annotation such as `tuple[StudyModel, ...]` or `StudyScores | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _find_table(part))), None)


def _quote(value: object) -> str:
    """Return a value as TOML shows it, shortened to 80 characters."""
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= 80 else text[:77] + "..."
