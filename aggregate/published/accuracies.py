"""Accuracies: published robust accuracies, checked cell by cell and laid out as a run's own table is."""

import csv
import io
import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd

from aggregate.collect.table import column_names, exact_interval
from aggregate.published import layouts
from aggregate.published.layouts import PublishedCell
from alignsec import digest
from alignsec.errors import ConfigError, ConfigErrors

_MOST_TOLD = 20
"""Mistakes of cells told one by one; a column of the wrong kind has one a line."""
_COUNTED = ("images", "clean_correct", "robust")
_SHARES = (
    "clean_accuracy", "clean_low", "clean_high", "robust_accuracy", "robust_low", "robust_high", "eps_value",
)  # fmt: skip


@dataclass(frozen=True)
class Accuracies:
    """A file of robust accuracies."""

    table: pd.DataFrame
    """The columns of `aggregate.collect.table.Row`; what such a file cannot say is missing."""
    family_of: dict[str, str]
    """The architecture's name, by model, where the file has one."""
    form: str
    unit: str
    """Of the file's accuracies: "per cent" or "shares"."""
    sha256: str
    remarks: tuple[str, ...]
    """What could not be taken as it stands, in sentences for the report."""


@dataclass(frozen=True)
class ParsedAccuracy:
    """An entry, read. Accuracies in the file's unit."""

    entry: PublishedCell
    eps: str
    eps_value: float
    robust: float
    clean: float | None
    images: int | None


def read_accuracies(path: Path, images: int | None = None) -> Accuracies:
    """Read a CSV file in any form that `aggregate.published.layouts` knows.

    images: on how many every accuracy was counted, where the file does not say. Accuracies are taken for per
    cent if any of them is above 1. Raises Mistakes with every error in the file; OSError if it is not there.
    """
    data = path.read_bytes()
    try:
        lines = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigErrors.about(path, f"is not a CSV file in UTF-8: {error}") from None
    numbered = [(at, cells) for at, cells in enumerate(lines, 1) if any(cell.strip() for cell in cells)]
    header = [layouts.normalize_column(cell) for cell in numbered[0][1]] if numbered else []
    layout = next((layout for layout in layouts.LAYOUTS if layout.fits(header)), None)
    name = next((name for name in layouts.MODEL_COLUMNS if name in header), "")
    errors = _of_header(path, header, layout, name)
    if errors or layout is None:
        raise ConfigErrors(errors)
    norm = next((norm for norm in ("Linf", "L1", "L2") if norm.lower() in path.name.lower()), "")
    errors = [
        ConfigError(
            path=path,
            field=f"line {at}",
            given=f"{len(cells)} cells",
            remedy=f"where the header has {len(header)}",
        )
        for at, cells in numbered[1:]
        if len(cells) != len(header)
    ]
    entries = [
        entry
        for at, cells in numbered[1:]
        if len(cells) == len(header)
        for entry in layout.entries((at, dict(zip(header, map(str.strip, cells), strict=True))), name, norm)
    ]
    found, blank = parse_cells(path, entries, errors)
    found, repeated = drop_repeats(path, found, errors)
    if not found and not errors:
        errors.append(ConfigError(path=path, remedy="has no robust accuracy"))
    if errors:
        more = len(errors) - _MOST_TOLD
        rest = [ConfigError(path=path, remedy=f"and {more} more errors of these kinds")] if more > 0 else []
        raise ConfigErrors([*errors[:_MOST_TOLD], *rest])
    percent = any(max(value.robust, value.clean or 0) > 1 for value in found)
    table = _table(found, 100 if percent else 1, images)
    return Accuracies(
        table,
        {value.entry.model: value.entry.architecture for value in found if value.entry.architecture},
        layout.name,
        "per cent" if percent else "shares",
        digest.sha256_of_bytes(data),
        tuple(_remarks(table, blank, repeated)),
    )


def _of_header(path: Path, header: list[str], layout: layouts.Layout | None, name: str) -> list[ConfigError]:
    errors = []
    if not header:
        return [ConfigError(path=path, remedy="is empty")]
    if layout is None:
        remedy = (
            "has columns of no form that is known: tidy (model, attack, eps, robust_accuracy, clean_accuracy), "
            "RobustBench's (id, eps, clean, aa), long (Model Name, Epsilon, Top-1 Accuracy), or wide "
            "(Model Name, Top-1 Accuracy Linf 0.00392)"
        )
        errors.append(ConfigError(path=path, field="header", given=", ".join(header[:8]), remedy=remedy))
    if not name:
        remedy = f"no column names the model; call it one of {', '.join(layouts.MODEL_COLUMNS)}"
        errors.append(ConfigError(path=path, field="header", remedy=remedy))
    twice = sorted({column for column in header if column and header.count(column) > 1})
    if twice:
        errors.append(
            ConfigError(
                path=path, field="header", given=", ".join(twice), remedy="stands twice; leave one of each"
            )
        )
    return errors


def _table(found: list[ParsedAccuracy], whole: float, images: int | None) -> pd.DataFrame:
    rows = [_row(value, whole, value.images or images) for value in found]
    table = pd.DataFrame(rows, columns=column_names())
    order = {name: at for at, name in enumerate(dict.fromkeys(table["model"]))}
    attacks = {name: at for at, name in enumerate(dict.fromkeys(table["attack"]))}
    table = table.sort_values(
        ["model", "attack", "eps_value"],
        key=lambda column: (
            column.map({"model": order, "attack": attacks}.get(column.name, {}).get)
            if column.name != "eps_value"
            else column
        ),
        kind="stable",
        ignore_index=True,
    )
    return table.astype(dict.fromkeys(_SHARES, "float64") | dict.fromkeys(_COUNTED, "Int64"))


def _row(value: ParsedAccuracy, whole: float, images: int | None) -> dict[str, object]:
    entry, robust = value.entry, value.robust / whole
    clean = None if value.clean is None else value.clean / whole
    row: dict[str, object] = {
        "model": entry.model, "attack": entry.attack, "method": "published" if value.eps_value else "clean",
        "norm": entry.norm, "eps": value.eps, "eps_value": value.eps_value, "corruption": "", "images": images,
        "clean_accuracy": clean if clean is not None or value.eps_value else robust,
        "robust_accuracy": robust, "deviations": "", "pair": "", "outcome_sha256": "",
    }  # fmt: skip
    if images:
        row["robust"] = round(robust * images)
        row["robust_low"], row["robust_high"] = exact_interval(round(robust * images), images)
        if clean is not None:
            row["clean_correct"] = round(clean * images)
            row["clean_low"], row["clean_high"] = exact_interval(round(clean * images), images)
    return row


def _remarks(table: pd.DataFrame, blank: int, repeated: int) -> Iterable[str]:
    if blank:
        yield f"Cells without a robust accuracy, left out: {blank}."
    if repeated:
        yield f"Rows that say again what an earlier one said, read once: {repeated}."
    if uncounted := int(table["images"].isna().sum()):
        yield (
            f"The file does not say on how many images {'any' if uncounted == len(table) else uncounted} of its "
            f"{len(table)} accuracies were counted: these have no interval, and sampling noise is not known. "
            "--images N says it of all."
        )
    else:
        yield "Counts of images are accuracies times images, rounded; intervals are exact binomial ones of these."
    if np.isnan(table["clean_accuracy"]).any():
        without = table.loc[table["clean_accuracy"].isna(), "model"].nunique()
        yield f"Clean accuracy is not known of {without} models, so nothing given clean accuracy is said of them."
    yield "Which images are robust is not known, so models are not compared image by image (McNemar)."


_BLANK = frozenset({"", "nan", "na", "n/a", "none", "null", "x", "-"})


def parse_cells(
    path: Path, entries: Iterable[PublishedCell], errors: list[ConfigError]
) -> tuple[list[ParsedAccuracy], int]:
    """What can be read, and how many accuracies are blank; the rest is added to the errors."""
    values, blank = [], 0
    for entry in entries:
        if entry.robust.lower() in _BLANK:
            blank += 1
            continue
        told = len(errors)

        def wrong(column: str, given: str, remedy: str, line: int = entry.line) -> None:
            errors.append(
                ConfigError(path=path, field=f"line {line}, {column}", given=f'"{given}"', remedy=remedy)
            )

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
        if len(errors) == told and level and robust is not None:
            images = int(entry.images) if entry.images else None
            values.append(ParsedAccuracy(entry, *level, robust, clean, images))
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


def drop_repeats(
    path: Path, values: list[ParsedAccuracy], errors: list[ConfigError]
) -> tuple[list[ParsedAccuracy], int]:
    """Each model, attack and budget once, and how many were said again; contradictions become errors."""
    kept: dict[tuple[str, str, float], ParsedAccuracy] = {}
    repeated = 0
    for value in values:
        entry = value.entry
        first = kept.setdefault((entry.model, entry.attack, value.eps_value), value)
        if first is value:
            continue
        repeated += 1
        if (first.robust, first.clean, first.images) != (value.robust, value.clean, value.images):
            remedy = (
                f"says otherwise than line {first.entry.line} of {entry.attack} at eps {value.eps}; "
                "leave the right one"
            )
            errors.append(
                ConfigError(path=path, field=f"line {entry.line}", given=f'"{entry.model}"', remedy=remedy)
            )
    return list(kept.values()), repeated
