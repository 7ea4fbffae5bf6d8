"""Accuracies: published robust accuracies, checked cell by cell and laid out as a run's own table is."""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pandas as pd

from aggregate import interval
from aggregate.numbers import form, values
from aggregate.numbers.values import Value
from aggregate.table import Row
from alignsec import digest
from alignsec.mistake import Mistake, Mistakes

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
    """The columns of `aggregate.table.Row`; what such a file cannot say is missing."""
    family_of: dict[str, str]
    """The architecture's name, by model, where the file has one."""
    form: str
    unit: str
    """Of the file's accuracies: "per cent" or "shares"."""
    sha256: str
    remarks: tuple[str, ...]
    """What could not be taken as it stands, in sentences for the report."""


def read(path: Path, images: int | None = None) -> Accuracies:
    """Read a CSV file in any form that `aggregate.numbers.form` knows.

    images: on how many every accuracy was counted, where the file does not say. Accuracies are taken for per
    cent if any of them is above 1. Raises Mistakes with every mistake in the file; OSError if it is not there.
    """
    data = path.read_bytes()
    try:
        lines = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))
    except (UnicodeDecodeError, csv.Error) as error:
        raise Mistakes([Mistake(str(path), "", "", f"is not a CSV file in UTF-8: {error}")]) from None
    numbered = [(at, cells) for at, cells in enumerate(lines, 1) if any(cell.strip() for cell in cells)]
    header = [form.plain(cell) for cell in numbered[0][1]] if numbered else []
    layout = next((layout for layout in form.FORMS if layout.fits(header)), None)
    name = next((name for name in form.NAMES if name in header), "")
    mistakes = _of_header(path, header, layout, name)
    if mistakes or layout is None:
        raise Mistakes(mistakes)
    norm = next((norm for norm in ("Linf", "L1", "L2") if norm.lower() in path.name.lower()), "")
    mistakes = [
        Mistake(str(path), f"line {at}", f"{len(cells)} cells", f"where the header has {len(header)}")
        for at, cells in numbered[1:]
        if len(cells) != len(header)
    ]
    entries = [
        entry
        for at, cells in numbered[1:]
        if len(cells) == len(header)
        for entry in layout.entries((at, dict(zip(header, map(str.strip, cells), strict=True))), name, norm)
    ]
    found, blank = values.read(path, entries, mistakes)
    found, repeated = values.once(path, found, mistakes)
    if not found and not mistakes:
        mistakes.append(Mistake(str(path), "", "", "has no robust accuracy"))
    if mistakes:
        more = len(mistakes) - _MOST_TOLD
        rest = [Mistake(str(path), "", "", f"and {more} more mistakes of these kinds")] if more > 0 else []
        raise Mistakes([*mistakes[:_MOST_TOLD], *rest])
    percent = any(max(value.robust, value.clean or 0) > 1 for value in found)
    table = _table(found, 100 if percent else 1, images)
    return Accuracies(
        table,
        {value.entry.model: value.entry.architecture for value in found if value.entry.architecture},
        layout.name,
        "per cent" if percent else "shares",
        digest.of_bytes(data),
        tuple(_remarks(table, blank, repeated)),
    )


def _of_header(path: Path, header: list[str], layout: form.Form | None, name: str) -> list[Mistake]:
    mistakes = []
    if not header:
        return [Mistake(str(path), "", "", "is empty")]
    if layout is None:
        remedy = (
            "has columns of no form that is known: tidy (model, attack, eps, robust_accuracy, clean_accuracy), "
            "RobustBench's (id, eps, clean, aa), long (Model Name, Epsilon, Top-1 Accuracy), or wide "
            "(Model Name, Top-1 Accuracy Linf 0.00392)"
        )
        mistakes.append(Mistake(str(path), "header", ", ".join(header[:8]), remedy))
    if not name:
        remedy = f"no column names the model; call it one of {', '.join(form.NAMES)}"
        mistakes.append(Mistake(str(path), "header", "", remedy))
    twice = sorted({column for column in header if column and header.count(column) > 1})
    if twice:
        mistakes.append(Mistake(str(path), "header", ", ".join(twice), "stands twice; leave one of each"))
    return mistakes


def _table(found: list[Value], whole: float, images: int | None) -> pd.DataFrame:
    rows = [_row(value, whole, value.images or images) for value in found]
    table = pd.DataFrame(rows, columns=[field.name for field in fields(Row)])
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


def _row(value: Value, whole: float, images: int | None) -> dict[str, object]:
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
        row["robust_low"], row["robust_high"] = interval.exact(round(robust * images), images)
        if clean is not None:
            row["clean_correct"] = round(clean * images)
            row["clean_low"], row["clean_high"] = interval.exact(round(clean * images), images)
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
