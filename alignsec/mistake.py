"""Mistakes in what a person wrote: told all at once, each with its remedy."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches


@dataclass(frozen=True)
class Mistake:
    """One thing to mend: where it stands, what was given, what to write instead."""

    file: str
    field: str
    """The field's path as a person would write it, such as `attacks[1].eps`; empty for the whole file."""
    given: str
    remedy: str

    def __str__(self) -> str:
        place = ": ".join(part for part in (self.file, self.field) if part)
        given = f"{self.given} " if self.given else ""
        return f"{place}: {given}{self.remedy}"


class Mistakes(Exception):
    """Everything that is wrong with the input, raised before anything is run, submitted or overwritten."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        super().__init__("\n".join(str(mistake) for mistake in mistakes))
        self.mistakes = tuple(mistakes)


def nearest(name: str, known: Sequence[str], count: int = 3) -> str:
    """A remedy for an unknown name: the nearest known ones, or all of them where they are few."""
    close = get_close_matches(name, known, n=count, cutoff=0.5)
    if close:
        return "did you mean " + " or ".join(close) + "?"
    if len(known) <= 12:
        return "there are " + ", ".join(known)
    return f"none of the {len(known)} known names is near it"
