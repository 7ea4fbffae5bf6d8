"""Values: the entries of a file of accuracies as numbers, or a mistake a cell that holds none."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from aggregate.numbers.form import Entry
from alignsec.mistake import Mistake

_BLANK = frozenset({"", "nan", "na", "n/a", "none", "null", "x", "-"})


@dataclass(frozen=True)
class Value:
    """An entry, read. Accuracies in the file's unit."""

    entry: Entry
    eps: str
    eps_value: float
    robust: float
    clean: float | None
    images: int | None


def read(path: Path, entries: Iterable[Entry], mistakes: list[Mistake]) -> tuple[list[Value], int]:
    """What can be read, and how many accuracies are blank; the rest is added to the mistakes."""
    values, blank = [], 0
    for entry in entries:
        if entry.robust.lower() in _BLANK:
            blank += 1
            continue
        told = len(mistakes)

        def wrong(column: str, given: str, remedy: str, line: int = entry.line) -> None:
            mistakes.append(Mistake(str(path), f"line {line}, {column}", f'"{given}"', remedy))

        accuracies = {}
        for column, text in ((entry.column, entry.robust), ("clean accuracy", entry.clean)):
            number = None if text.lower() in _BLANK else _number(text)
            if number is not None and not 0 <= number <= 100:
                wrong(column, text, "is no accuracy; write a share of 0 to 1 or per cent of 0 to 100")
            accuracies[column] = number
        level = _budget(entry.eps, entry.norm)
        if level is None:
            wrong("eps", entry.eps, 'is no budget; write a number of pixels of [0,1], such as "4/255" or 0.01569')
        if entry.images and not (entry.images.isdecimal() and int(entry.images) > 0):
            wrong("images", entry.images, "is no number of images; write 1 or more, or leave it empty")
        for column, text in (("model", entry.model), ("attack", entry.attack)):
            if not text:
                wrong(column, text, "is empty; name it")
        robust, clean = accuracies[entry.column], accuracies["clean accuracy"]
        if len(mistakes) == told and level and robust is not None:
            images = int(entry.images) if entry.images else None
            values.append(Value(entry, *level, robust, clean, images))
    return values, blank


def _number(text: str) -> float:
    """NaN for what is no number, which no range holds."""
    try:
        return float(text.removesuffix("%"))
    except ValueError:
        return math.nan


def _budget(text: str, norm: str) -> tuple[str, float] | None:
    """How a budget is written and its value; None where it is none.

    Tables round: in Linf a decimal within 5e-6 of so many halves of 1/255 is that fraction.
    """
    try:
        exact = Fraction(text.replace(" ", ""))
    except (ValueError, ZeroDivisionError):
        numerator, _, denominator = text.partition("/")
        top, below = _number(numerator), _number(denominator) if denominator else 1.0
        if not (math.isfinite(top) and math.isfinite(below) and below):
            return None
        exact = Fraction(top) / Fraction(below)
    if exact < 0:
        return None
    if "/" in text or exact == 0 or norm in {"L1", "L2"}:
        return text if exact else "0", float(exact)
    halves = round(exact * 510)
    if 0 < halves <= 64 and abs(exact - Fraction(halves, 510)) <= Fraction(5, 10**6):
        return f"{halves / 2:g}/255", halves / 510
    return f"{float(exact):g}", float(exact)


def once(path: Path, values: list[Value], mistakes: list[Mistake]) -> tuple[list[Value], int]:
    """Each model, attack and budget once, and how many were said again; contradictions become mistakes."""
    kept: dict[tuple[str, str, float], Value] = {}
    repeated = 0
    for value in values:
        entry = value.entry
        first = kept.setdefault((entry.model, entry.attack, value.eps_value), value)
        if first is value:
            continue
        repeated += 1
        if (first.robust, first.clean, first.images) != (value.robust, value.clean, value.images):
            mistakes.append(Mistake(
                str(path), f"line {entry.line}", f'"{entry.model}"',
                f"says otherwise than line {first.entry.line} of {entry.attack} at eps {value.eps}; "
                "leave the right one",
            ))  # fmt: skip
    return list(kept.values()), repeated
