"""Characters that names must not contain, because they change how a terminal or a report shows nearby text."""

import unicodedata

FORBIDDEN_CATEGORIES = {
    "Cc": "a control character, such as a line break",
    "Cf": "an invisible character that changes the direction or the joining of text",
    "Co": "a character without a meaning",
    "Cs": "bytes that are not valid UTF-8",
    "Zl": "a line separator",
    "Zp": "a paragraph separator",
}
"""Unicode's general categories of such characters."""
NAME_PATTERN = r"^[^\p{Cc}\p{Cf}\p{Co}\p{Zl}\p{Zp}]*$"
"""The same rule as a regular expression of pydantic, which accepts no surrogates in any case."""


def find_forbidden(name: str) -> str:
    """Return which kind of forbidden character a name contains; empty if it has none."""
    if name.isprintable():  # true for almost every name, and fast
        return ""
    kinds = (unicodedata.category(character) for character in name)
    return next((FORBIDDEN_CATEGORIES[kind] for kind in kinds if kind in FORBIDDEN_CATEGORIES), "")
