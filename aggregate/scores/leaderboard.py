"""Leaderboards: Brain-Score's published scores, read from any of their file formats into one table.

The first bytes and the header of a file identify its format:

* today's CSV: comment lines, a header with `Model`, blanks for missing scores;
* the legacy `benchmark_scores.csv`: `model_name, layers`, "X" for a missing score; and the merge of it with the
  registry by the study's first implementation (`model_registry_name`);
* the zip of the newer site: `leaderboard.csv` next to `plugin-info.csv`, a `Model ID`, benchmarks by versioned
  name and breadth first;
* any tidy CSV: `model, benchmark, score`.
"""

import csv
import io
import math
import re
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

MODEL_COLUMNS = ("model", "model_registry_name", "model_name", "registry_name", "model_id", "name")
"""Possible headers of the column with the model's name, by priority; case is ignored."""
_TIDY_COLUMNS = ("benchmark", "score")
_IGNORED = frozenset(
    {
        *("rank", "filtered score", "filtered_score", "layers", "og_model_name", "model id", "submitter", ""),
        *("folder", "state", "line"),  # columns of `python -m aggregate.registry`
        *MODEL_COLUMNS,
    }
)
# Today's leaderboard leaves a cell empty; the legacy export writes X.
_MISSING = frozenset({"", "x", "nan", "na", "n/a", "null", "none"})
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_VERSION = re.compile(r"(?<=.)_v\d+$")
_MAX_UNPACKED_BYTES = 256 * 2**20
"""Largest size of a table in a zip. The whole leaderboard has half a megabyte."""


@dataclass(frozen=True)
class Leaderboard:
    """The scores of a leaderboard file."""

    columns: tuple[str, ...] = ()
    rows: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Scores by model and column. A missing score has no entry. A model with contradicting rows is absent."""
    contradicting: tuple[str, ...] = ()
    """Models that have several rows with different scores."""
    remarks: tuple[str, ...] = ()
    """Sentences for the report about content that could not be read."""
    generated: str = ""
    """Generation time as stated in the file; empty if it has none."""


class _UnreadableError(Exception):
    """The file cannot be read; the message is the remark."""


class _Lines(NamedTuple):
    """The header and the lines of a CSV file, with the index of the model's column."""

    header: list[str]
    lines: list[list[str]]
    model_index: int
    generated: str


Cells = Iterator[tuple[str, list[tuple[str, str]]]]
"""For each line, the model's name and the text of each score column."""


def read_leaderboard(data: bytes) -> Leaderboard:
    """Read a leaderboard file in any of its formats.

    Args:
        data: The bytes of the file.

    Returns:
        The scores. Invalid content raises no error: it is left out, and a remark describes it.
    """
    try:
        table = _read_lines(_unzip(data) if data.startswith(b"PK\x03\x04") else data)
    except _UnreadableError as error:
        return Leaderboard(remarks=(str(error),))
    tidy = set(_TIDY_COLUMNS) <= {name.lower() for name in table.header}
    columns, cells, remarks = (_read_tidy if tidy else _read_wide)(table)
    rows, contradicting, unreadable = _collect_rows(cells)
    if unreadable:
        remarks.append(
            f"Cells that are neither numbers nor blank, taken as missing: {len(unreadable)}; "
            f"the first is {unreadable[0]}."
        )
    return Leaderboard(tuple(columns), rows, tuple(contradicting), tuple(remarks), table.generated)


def _unzip(data: bytes) -> bytes:
    """Return the bytes of leaderboard.csv."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            tables = [info for info in archive.infolist() if info.filename.rpartition("/")[2] == "leaderboard.csv"]
            if not tables:
                raise _UnreadableError("The scores file is a zip without a leaderboard.csv; no score was read.")
            if tables[0].file_size > _MAX_UNPACKED_BYTES:
                raise _UnreadableError(
                    "The leaderboard.csv in the scores file is larger than 256 MiB; no score was read."
                )
            return archive.read(tables[0])
    # zipfile raises these for a damaged archive, a password, and an unknown compression method.
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        raise _UnreadableError(
            f"The scores file is a zip that cannot be unpacked ({error}); no score was read."
        ) from None


def _read_lines(data: bytes) -> _Lines:
    try:
        lines = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))
    except (UnicodeDecodeError, csv.Error) as error:
        why = f"The scores file is not a CSV file in UTF-8 ({error}); no score was read."
        raise _UnreadableError(why) from None
    generated = ""
    while lines and lines[0] and lines[0][0].startswith("#"):
        stated = re.match(r"#\s*Generated on (\S+)", lines.pop(0)[0])
        generated = stated.group(1) if stated else generated
    lines = [line for line in lines if any(cell.strip() for cell in line)]
    header = [name.strip() for name in lines[0]] if lines else []
    lower = [name.lower() for name in header]
    model_index = next((lower.index(name) for name in MODEL_COLUMNS if name in lower), None)
    if model_index is None:
        raise _UnreadableError("The scores file has no column named Model; no score was read.")
    return _Lines(header, lines[1:], model_index, generated)


def _read_wide(table: _Lines) -> tuple[list[str], Cells, list[str]]:
    """Read a table with one row per model and one column per score."""
    header, lines, model_index, _ = table
    names = [_VERSION.sub("", name) for name in header]
    indices, repeated = _select_columns(names, model_index)
    # Names are not stripped: today's leaderboard has both "vonegrcnn_47e" and the same name with a trailing space.
    named = [line for line in lines if model_index < len(line) and line[model_index].strip()]
    remarks = []
    if nameless := len(lines) - len(named):
        remarks.append(f"Rows without a model's name, left out: {nameless}.")
    if uneven := sum(len(line) != len(header) for line in lines):
        remarks.append(f"Rows with more or fewer cells than the header has columns: {uneven}.")
    if repeated:
        remarks.append(f"Repeated columns, of which only the leftmost is read: {', '.join(repeated)}.")
    cells = ((line[model_index], [(names[at], _get_cell(line, at)) for at in indices]) for line in named)
    return [names[at] for at in indices], cells, remarks


def _select_columns(names: Sequence[str], model_index: int) -> tuple[list[int], list[str]]:
    """Return the index of each score column, the leftmost of equal names, and the names that are repeated."""
    wanted = [at for at, name in enumerate(names) if at != model_index and name.lower() not in _IGNORED]
    repeated = sorted(name for name, count in Counter(names[at] for at in wanted).items() if count > 1)
    return sorted({names[at]: at for at in reversed(wanted)}.values()), repeated


def _get_cell(line: Sequence[str], at: int) -> str:
    return line[at] if at < len(line) else ""


def _read_tidy(table: _Lines) -> tuple[list[str], Cells, list[str]]:
    """Read a table with one row per model and benchmark."""
    header, lines, model_index, _ = table
    lower = [name.lower() for name in header]
    benchmark_index, score_index = (lower.index(name) for name in _TIDY_COLUMNS)
    complete = [line for line in lines if len(line) > max(model_index, benchmark_index, score_index)]
    named = [line for line in complete if line[model_index].strip() and line[benchmark_index].strip()]
    remarks = []
    if short := len(lines) - len(named):
        remarks.append(f"Rows without a model, a benchmark or a score, left out: {short}.")
    by_model: dict[str, dict[str, str]] = {}
    contradictions: list[tuple[str, list[tuple[str, str]]]] = []
    for line in named:
        model, benchmark, text = line[model_index], line[benchmark_index].strip(), line[score_index]
        row = by_model.setdefault(model, {})
        if _parse_number(row.setdefault(benchmark, text).strip()) != _parse_number(text.strip()):
            contradictions.append((model, [(benchmark, text)]))
    rows = [(model, list(row.items())) for model, row in by_model.items()]
    columns = list(dict.fromkeys(line[benchmark_index].strip() for line in named))
    return columns, iter([*rows, *contradictions]), remarks


def _collect_rows(
    cells: Iterable[tuple[str, list[tuple[str, str]]]],
) -> tuple[dict[str, dict[str, float]], list[str], list[str]]:
    """Return the rows by model, the models with contradicting rows, and the unreadable cells."""
    rows: dict[str, dict[str, float]] = {}
    contradicting: dict[str, None] = {}
    unreadable: list[str] = []
    for model, texts in cells:
        row = {}
        for column, text in texts:
            value = _parse_number(text.strip())
            if value is not None:
                row[column] = value
            elif text.strip().lower() not in _MISSING:
                unreadable.append(f"“{text.strip()[:40]}” ({model}, {column})")
        if rows.setdefault(model, row) != row:
            contradicting[model] = None
    return {name: row for name, row in rows.items() if name not in contradicting}, [*contradicting], unreadable


def _parse_number(cell: str) -> float | None:
    if not _NUMBER.fullmatch(cell):
        return None
    value = float(cell)
    return value if math.isfinite(value) else None
