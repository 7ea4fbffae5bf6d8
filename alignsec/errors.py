"""Errors in a person's input: reported together, each with file, field, given value and remedy."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Self


@dataclass(frozen=True, kw_only=True)
class ConfigError:
    """One error in a file, a setting or an argument.

    Attributes:
        path: The file, or the command-line argument.
        remedy: What is wrong and what to do.
        field: The field as its author would write it, such as `attacks[1].eps`; empty for the whole file.
        given: The given value as text; empty if there is none.
    """

    path: Path | str
    remedy: str
    field: str = ""
    given: str = ""

    def __str__(self) -> str:
        place = ": ".join(part for part in (str(self.path), self.field) if part)
        given = f"{self.given} " if self.given else ""
        return f"{place}: {given}{self.remedy}"


class ConfigErrors(Exception):
    """All errors of the input, raised before anything is run, submitted or overwritten."""

    def __init__(self, errors: Sequence[ConfigError]) -> None:
        super().__init__("\n".join(str(error) for error in errors))
        self.errors = tuple(errors)

    @classmethod
    def about(cls, path: Path | str, remedy: str, given: str = "") -> Self:
        """Return one error about a whole file or argument."""
        return cls([ConfigError(path=path, remedy=remedy, given=given)])


def nearest(name: str, known: Sequence[str], count: int = 3) -> str:
    """Return a remedy for an unknown name: the most similar known names, or all names if there are few.

    Args:
        name: The unknown name.
        known: The valid names.
        count: The largest number of similar names to suggest.
    """
    close = get_close_matches(name, known, n=count, cutoff=0.5)
    if close:
        return "did you mean " + " or ".join(close) + "?"
    if len(known) <= 12:
        return "choose one of " + ", ".join(known)
    return f"none of the {len(known)} known names is similar"
