"""Published robust accuracies, validated cell by cell and converted to the columns of a run's table."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from aggregate.collect.table import column_names, exact_interval
from aggregate.formatting import format_quantity
from aggregate.published import layouts
from aggregate.published.cells import ParsedAccuracy, convert_to_shares, drop_repeats, parse_cells
from aggregate.published.layouts import Layout, PublishedCell
from alignsec import digest
from alignsec.errors import ConfigError, ConfigErrors
from alignsec.spreadsheet import unguard_text

_MAX_ERRORS = 20
"""Errors that are reported one by one; a column of the wrong type has one error per line."""
_COUNTS = ("images", "clean_correct", "robust")
_SHARES = (
    "clean_accuracy", "clean_low", "clean_high", "robust_accuracy", "robust_low", "robust_high", "eps_value",
)  # fmt: skip


@dataclass(frozen=True)
class Accuracies:
    """The robust accuracies of a file."""

    table: pd.DataFrame
    """The columns of table.csv (`aggregate.collect.table.column_names`); unknown values are missing."""
    architectures: dict[str, str]
    """Name of the architecture by model, for models whose architecture the file names."""
    layout: str
    unit: str
    """Units of the accuracies in the file: "per cent", "shares", or which columns are in per cent."""
    sha256: str
    remarks: tuple[str, ...]
    """Sentences for the report about content that is missing or was left out."""


def read_accuracies(path: Path, images: int | None = None) -> Accuracies:
    """Read a CSV file in any layout of `aggregate.published.layouts`.

    `cells.convert_to_shares` finds the unit of each column.

    Args:
        path: The CSV file.
        images: Number of images of every accuracy for which the file has none.

    Raises:
        ConfigErrors: The file is invalid; it lists all errors.
        OSError: The file cannot be read.
    """
    data = path.read_bytes()
    lines = _read_lines(path, data)
    layout, cells, errors = _read_cells(path, lines)
    parsed, blank = parse_cells(path, cells, errors)
    parsed, unit = convert_to_shares(path, parsed, errors)
    parsed, repeated = drop_repeats(path, parsed, errors)
    if not parsed and not errors:
        errors.append(ConfigError(path=path, remedy="has no robust accuracy"))
    if errors:
        raise ConfigErrors(_shorten_errors(path, errors))
    table = _make_table(parsed, images)
    return Accuracies(
        table,
        {value.cell.model: value.cell.architecture for value in parsed if value.cell.architecture},
        layout.name,
        unit,
        digest.sha256_of_bytes(data),
        tuple(_list_remarks(table, blank, repeated)),
    )


def _read_lines(path: Path, data: bytes) -> list[tuple[int, list[str]]]:
    """Return the number and the cells of each line that is not blank."""
    try:
        lines = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigErrors.about(path, f"is not a CSV file in UTF-8: {error}") from None
    return [
        (at, [unguard_text(cell) for cell in cells])
        for at, cells in enumerate(lines, 1)
        if any(cell.strip() for cell in cells)
    ]


def _read_cells(
    path: Path, lines: list[tuple[int, list[str]]]
) -> tuple[Layout, list[PublishedCell], list[ConfigError]]:
    """Return the layout, the cells of lines of the right length, and an error for each other line."""
    header = [layouts.normalize_column(cell) for cell in lines[0][1]] if lines else []
    layout = next((layout for layout in layouts.LAYOUTS if layout.fits(header)), None)
    name = next((name for name in layouts.MODEL_COLUMNS if name in header), "")
    errors = _check_header(path, header, layout, name)
    if errors or layout is None:
        raise ConfigErrors(errors)
    norm = next((norm for norm in ("Linf", "L1", "L2") if norm.lower() in path.name.lower()), "")
    cells: list[PublishedCell] = []
    for number, texts in lines[1:]:
        if len(texts) != len(header):
            remedy = f"expected {len(header)}, as in the header"
            errors.append(
                ConfigError(path=path, field=f"line {number}", given=f"{len(texts)} cells", remedy=remedy)
            )
            continue
        line = dict(zip(header, map(str.strip, texts), strict=True))
        cells.extend(layout.read_line((number, line), name, norm))
    return layout, cells, errors


def _check_header(path: Path, header: list[str], layout: Layout | None, name: str) -> list[ConfigError]:
    if not header:
        return [ConfigError(path=path, remedy="is empty")]
    errors = []
    if layout is None:
        remedy = (
            "unknown layout; expected tidy (model, attack, eps, robust_accuracy, clean_accuracy), "
            "RobustBench's (id, eps, clean, aa), long (Model Name, Epsilon, Top-1 Accuracy), or wide "
            "(Model Name, Top-1 Accuracy Linf 0.00392)"
        )
        errors.append(ConfigError(path=path, field="header", given=", ".join(header[:8]), remedy=remedy))
    if not name:
        remedy = f"no column names the model; call it one of {', '.join(layouts.MODEL_COLUMNS)}"
        errors.append(ConfigError(path=path, field="header", remedy=remedy))
    repeated = sorted({column for column in header if column and header.count(column) > 1})
    if repeated:
        remedy = "occurs more than once; keep one column of each name"
        errors.append(ConfigError(path=path, field="header", given=", ".join(repeated), remedy=remedy))
    return errors


def _shorten_errors(path: Path, errors: list[ConfigError]) -> list[ConfigError]:
    """Return the first errors and one that counts the others."""
    more = len(errors) - _MAX_ERRORS
    if more <= 0:
        return errors
    return [*errors[:_MAX_ERRORS], ConfigError(path=path, remedy=f"and {more} more errors of these kinds")]


def _make_table(parsed: list[ParsedAccuracy], images: int | None) -> pd.DataFrame:
    """Return the table; `whole` is the file's number for an accuracy of 100 %."""
    rows = [_make_row(value, value.images or images) for value in parsed]
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
    return table.astype(dict.fromkeys(_SHARES, "float64") | dict.fromkeys(_COUNTS, "Int64"))


def _make_row(value: ParsedAccuracy, images: int | None) -> dict[str, object]:
    cell, robust = value.cell, value.robust
    clean = value.clean
    row: dict[str, object] = {
        "model": cell.model, "attack": cell.attack, "method": "published" if value.eps_value else "clean",
        "norm": cell.norm, "eps": value.eps, "eps_value": value.eps_value, "corruption": "", "images": images,
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


def _list_remarks(table: pd.DataFrame, blank: int, repeated: int) -> Iterator[str]:
    if blank:
        yield f"Cells without a robust accuracy, left out: {blank}."
    if repeated:
        yield f"Rows that repeat an earlier row, left out: {repeated}."
    if uncounted := int(table["images"].isna().sum()):
        which = f"all {len(table)}" if uncounted == len(table) else f"{uncounted} of the {len(table)}"
        yield (
            f"The number of images is unknown for {which} accuracies: these have no interval, and their sampling "
            "error is unknown. The option --images N sets it for all accuracies."
        )
    else:
        yield (
            "Counts of images are accuracies times the number of images, rounded; intervals are exact binomial "
            "intervals of these counts."
        )
    if np.isnan(table["clean_accuracy"]).any():
        without = table.loc[table["clean_accuracy"].isna(), "model"].nunique()
        yield (
            f"Clean accuracy is unknown for {format_quantity(without, 'model')}, so results given clean accuracy "
            "cannot be computed with them."
        )
    yield "The robust images are unknown, so models are not compared image by image (McNemar’s test)."
