"""Cells of a published table: parsing and validation of accuracies, budgets and numbers of images."""

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from aggregate.published.layouts import PublishedCell
from alignsec.errors import ConfigError

_PLAIN_NUMBER = re.compile(r"[+-]?[\d.]{1,40}(e[+-]?\d{1,2})?(/[\d.]{1,40})?", re.IGNORECASE)
"""A budget. A larger exponent is no budget, and its exact value would need all memory."""
_BLANK = frozenset({"", "nan", "na", "n/a", "none", "null", "x", "-"})
_MOST_DIGITS = 10
"""Length of a number of images that is too long to be one."""


@dataclass(frozen=True)
class ParsedAccuracy:
    """A cell after parsing; accuracies are in the unit of their column until `convert_to_shares`."""

    cell: PublishedCell
    eps: str
    eps_value: float
    robust: float
    clean: float | None
    images: int | None


def parse_cells(
    path: Path, cells: Iterable[PublishedCell], errors: list[ConfigError]
) -> tuple[list[ParsedAccuracy], int]:
    """Parse and validate cells.

    Args:
        path: The file, for errors.
        cells: The cells.
        errors: The list to which errors are added.

    Returns:
        The valid cells and the number of blank robust accuracies.
    """
    parsed, blank = [], 0
    for cell in cells:
        if _is_blank(cell.robust):
            blank += 1
            continue
        invalid = [
            ConfigError(path=path, field=f"line {cell.line}, {column}", given=f'"{given}"', remedy=remedy)
            for column, given, remedy in _check_cell(cell)
        ]
        errors.extend(invalid)
        level = _parse_budget(cell.eps, cell.norm)
        if not invalid and level is not None:
            clean = None if _is_blank(cell.clean) else _parse_number(cell.clean)
            images = int(cell.images) if cell.images else None
            parsed.append(ParsedAccuracy(cell, *level, _parse_number(cell.robust), clean, images))
    return parsed, blank


def convert_to_shares(
    path: Path, parsed: list[ParsedAccuracy], errors: list[ConfigError]
) -> tuple[list[ParsedAccuracy], str]:
    """Convert each column of accuracies to shares from 0 to 1.

    A column with % signs is in per cent, even if its values are small. A column without is in per cent if a
    value is above 1. A column with some signs is an error.

    Args:
        path: The file, for errors.
        parsed: The valid cells.
        errors: The list to which errors are added.

    Returns:
        The cells in shares, and the units of the file's columns in words.
    """
    texts: dict[str, list[tuple[int, str]]] = {}
    for one in parsed:
        texts.setdefault(one.cell.column, []).append((one.cell.line, one.cell.robust))
        if one.clean is not None:
            texts.setdefault("clean accuracy", []).append((one.cell.line, one.cell.clean))
    whole: dict[str, float] = {}
    for column, values in texts.items():
        signed = [text.endswith("%") for _, text in values]
        if any(signed) and not all(signed):
            line, text = values[signed.index(False)]
            remedy = "has no % sign, but other cells of the column have one; use one unit per column"
            errors.append(ConfigError(path=path, field=f"line {line}, {column}", given=f'"{text}"', remedy=remedy))
        in_per_cent = any(signed) or any(_parse_number(text) > 1 for _, text in values)
        whole[column] = 100.0 if in_per_cent else 1.0
    shares = [
        replace(
            one,
            robust=one.robust / whole[one.cell.column],
            clean=None if one.clean is None else one.clean / whole["clean accuracy"],
        )
        for one in parsed
    ]
    per_cent = [column for column, value in whole.items() if value > 1]
    if len(per_cent) in (0, len(whole)):
        return shares, "per cent" if per_cent else "shares"
    return shares, f"per cent in {', '.join(per_cent)} and shares elsewhere"


def _check_cell(cell: PublishedCell) -> Iterator[tuple[str, str, str]]:
    """Yield the column, the text and the remedy of each invalid field."""
    for column, text in ((cell.column, cell.robust), ("clean accuracy", cell.clean)):
        if not _is_blank(text) and not 0 <= _parse_number(text) <= 100:
            yield column, text, "must be a share from 0 to 1 or per cent from 0 to 100"
    if _parse_budget(cell.eps, cell.norm) is None:
        yield (
            "eps",
            cell.eps,
            'must be a number in pixel values of [0,1], such as "4/255" or 0.01569, at most 1 in Linf',
        )
    # The length first: Python refuses to convert integers of thousands of digits.
    if cell.images and not (cell.images.isdecimal() and len(cell.images) < _MOST_DIGITS and int(cell.images) > 0):
        yield "images", cell.images, "must be a number of images of at least 1, or empty"
    for column, text in (("model", cell.model), ("attack", cell.attack)):
        if not text:
            yield column, text, "must not be empty"


def _is_blank(text: str) -> bool:
    return text.lower() in _BLANK


def _parse_number(text: str) -> float:
    """Return a number, or NaN, which is outside every range."""
    try:
        return float(text.removesuffix("%"))
    except ValueError:
        return math.nan


def _parse_budget(text: str, norm: str) -> tuple[str, float] | None:
    """Return a budget as text and as a number; None if it is invalid.

    Published tables round. In Linf, a decimal within 5e-6 of a multiple of 0.5/255 is therefore read as that
    fraction.
    """
    if not _PLAIN_NUMBER.fullmatch(text.replace(" ", "")):
        return None
    try:
        exact = Fraction(text.replace(" ", ""))
    except (ValueError, ZeroDivisionError):
        numerator, _, denominator = text.partition("/")
        top, bottom = _parse_number(numerator), _parse_number(denominator) if denominator else 1.0
        if not (math.isfinite(top) and math.isfinite(bottom) and bottom):
            return None
        exact = Fraction(top) / Fraction(bottom)
    if exact < 0 or (exact > 1 and norm not in {"L1", "L2"}):
        return None
    if "/" in text or exact == 0 or norm in {"L1", "L2"}:
        return text if exact else "0", float(exact)
    halves = round(exact * 510)
    if 0 < halves <= 64 and abs(exact - Fraction(halves, 510)) <= Fraction(5, 10**6):
        return f"{halves / 2:g}/255", halves / 510
    return f"{float(exact):g}", float(exact)


def drop_repeats(
    path: Path, parsed: list[ParsedAccuracy], errors: list[ConfigError]
) -> tuple[list[ParsedAccuracy], int]:
    """Keep the first of several accuracies of one model, attack and budget.

    Args:
        path: The file, for errors.
        parsed: The accuracies.
        errors: The list to which an error is added for each contradiction.

    Returns:
        The first accuracies and the number of repeated ones.
    """
    kept: dict[tuple[str, str, float], ParsedAccuracy] = {}
    for value in parsed:
        cell = value.cell
        first = kept.setdefault((cell.model, cell.attack, value.eps_value), value)
        if (first.robust, first.clean, first.images) != (value.robust, value.clean, value.images):
            remedy = (
                f"contradicts line {first.cell.line} about {cell.attack} at eps {value.eps}; keep the correct line"
            )
            errors.append(
                ConfigError(path=path, field=f"line {cell.line}", given=f'"{cell.model}"', remedy=remedy)
            )
    return list(kept.values()), len(parsed) - len(kept)
