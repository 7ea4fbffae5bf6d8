"""What pydantic found wrong with a study, in the words of the person who wrote it."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from alignsec.errors import ConfigError, nearest
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
    "too_short": "is empty; it needs at least one",
    "string_too_short": "is empty",
}
PATTERNS = {
    SHA256_PATTERN: "is not a SHA-256 digest: 64 digits and letters a to f, as sha256sum prints it",
    fields.DATE_PATTERN: 'is not a date; write year-month-day, such as "2025-09-08"',
    r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$": "is not a run's name; use letters, digits, - and _, at most 64",
    r"^[^\x00-\x1f\x7f]*$": "has a control character, such as a line break; names are one line",
}


def explain(
    file: str,
    model: type[BaseModel],
    error: ValidationError,
    entries: Mapping[str, Sequence[int]] = MappingProxyType({}),
) -> list[ConfigError]:
    """Each of pydantic's errors as a Mistake with its field and what to write instead.

    entries: of tables of which an entry stands for several, the position of the one that each came from.
    """
    details_list = error.errors()
    # A list whose every entry is wrong is reported as empty as well, which it is not.
    broken = {details["loc"][:1] for details in details_list if len(details["loc"]) > 1}
    found = [
        _error(file, model, details, entries)
        for details in details_list
        if not (details["type"] == "too_short" and details["loc"] in broken)
    ]
    return list(dict.fromkeys(found))


def field(location: Sequence[int | str]) -> str:
    """A field's path as a person would write it: `attacks[1].eps[0]`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return text.removeprefix(".")


def _error(
    file: str, model: type[BaseModel], details: ErrorDetails, entries: Mapping[str, Sequence[int]]
) -> ConfigError:
    location, kind = details["loc"], details["type"]
    match location:
        case (str(table), int(index), *rest) if table in entries:
            location = (table, entries[table][index], *rest)
    given = "" if kind == "missing" or isinstance(details["input"], dict) else _quoted(details["input"])
    return ConfigError(path=file, field=field(location), given=given, remedy=_remedy(model, details))


def _remedy(model: type[BaseModel], details: ErrorDetails) -> str:
    kind, context = details["type"], details.get("ctx", {})
    if kind == "extra_forbidden":
        known = _keys_beside(model, details["loc"])
        return f"is not a key here; {nearest(str(details['loc'][-1]), known)}"
    if kind == "literal_error":
        choices = [word.strip(" '") for word in str(context["expected"]).replace(" or ", ",").split(",")]
        close = get_close_matches(str(details["input"]), choices, n=1)
        return f"is not one of {', '.join(choices)}" + (f"; did you mean {close[0]}?" if close else "")
    if kind == "tuple_type" and isinstance(details["input"], dict):
        return f"is one table, not a list of them; write [[{details['loc'][-1]}]]"
    if kind == "string_pattern_mismatch":
        return PATTERNS.get(str(context["pattern"]), f"does not match {context['pattern']}")
    return REMEDIES.get(kind) or details["msg"].replace("Input should be", "should be")


def _keys_beside(model: type[BaseModel], location: Sequence[int | str]) -> list[str]:
    """The keys that the table holding a wrong key may have."""
    here: type[BaseModel] | None = model
    for part in location[:-1]:
        if here is not None and isinstance(part, str):
            here = _model_in(here.model_fields[part].annotation)
    return sorted(here.model_fields) if here else []


def _model_in(annotation: Any) -> type[BaseModel] | None:  # noqa: ANN401 - annotations have no common type
    """The table type inside an annotation such as `tuple[StudyModel, ...]` or `StudyScores | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_in(part))), None)


def _quoted(value: object) -> str:
    """What was given, as TOML would show it, cut where it is long."""
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= 80 else text[:77] + "..."
