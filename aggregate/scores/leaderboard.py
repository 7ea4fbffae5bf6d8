"""Leaderboards: the forms in which Brain-Score's scores come, read as one table of models by columns.

Four forms, told apart by their first bytes and their header: today's CSV (comment lines, a header with `Model`,
blanks); the legacy `benchmark_scores.csv` (`model_name, layers`, "X" for a missing score) and the original's merge
of it with the registry (`model_registry_name`); the newer site's zip (`leaderboard.csv` beside `plugin-info.csv`,
a `Model ID`, benchmarks by versioned name and breadth first); and any tidy CSV (`model, benchmark, score`).
"""

import csv
import io
import math
import re
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

MODEL_COLUMNS = ("model", "model_registry_name", "model_name", "registry_name", "model_id", "name")
"""Headers of the column that names the model, the first of these that is there."""
_TIDY = ("benchmark", "score")
_IGNORED = frozenset(
    {
        *("rank", "filtered score", "filtered_score", "layers", "og_model_name", "model id", "submitter", ""),
        *("folder", "state", "line"),  # of the registry's translation
        *MODEL_COLUMNS,
    }
)
# Today's leaderboard leaves a cell empty, the legacy export writes X.
_MISSING = frozenset({"", "x", "nan", "na", "n/a", "null", "none"})
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_VERSION = re.compile(r"(?<=.)_v\d+$")
_LARGEST = 256 * 2**20
"""Bytes of a zip's table beyond which it is not unpacked; the whole leaderboard is half a megabyte."""


@dataclass(frozen=True)
class Leaderboard:
    """A leaderboard as it stands in its file."""

    columns: tuple[str, ...] = ()
    rows: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """By model and column; a missing score has no entry. Models whose rows contradict each other are absent."""
    contradicting: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    """What could not be taken as it stands, in sentences for the report."""
    generated: str = ""
    """When the file says it was made; empty where it does not say."""


def read_leaderboard(data: bytes) -> Leaderboard:
    """Read a leaderboard in any of its forms.

    Never raises for content: what cannot be read becomes a remark, and no value is made up for it.
    """
    if data.startswith(b"PK\x03\x04"):
        unpacked = _unpacked(data)
        if isinstance(unpacked, Leaderboard):
            return unpacked
        data = unpacked
    try:
        lines = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))
    except (UnicodeDecodeError, csv.Error) as error:
        return _nothing(f"The scores file is not a CSV file in UTF-8 ({error}); no score was read.")
    generated = ""
    while lines and lines[0] and lines[0][0].startswith("#"):
        said = re.match(r"#\s*Generated on (\S+)", lines.pop(0)[0])
        generated = said.group(1) if said else generated
    lines = [line for line in lines if any(cell.strip() for cell in line)]
    header = [name.strip() for name in lines[0]] if lines else []
    lower = [name.lower() for name in header]
    at_model = next((lower.index(name) for name in MODEL_COLUMNS if name in lower), None)
    if at_model is None:
        return _nothing("The scores file has no column named Model; no score was read.")
    columns, cells, remarks = (_tidy if set(_TIDY) <= set(lower) else _wide)(lines[1:], header, at_model)
    rows, contradicting, unreadable = _rows(cells)
    if unreadable:
        remarks.append(
            f"Cells that are neither numbers nor blank, taken as missing: {len(unreadable)}; "
            f"the first is {unreadable[0]}."
        )
    return Leaderboard(tuple(columns), rows, tuple(contradicting), tuple(remarks), generated)


def _nothing(why: str) -> Leaderboard:
    return Leaderboard(remarks=(why,))


def _unpacked(data: bytes) -> bytes | Leaderboard:
    """The bytes of leaderboard.csv, or the sheet that says why there are none."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            tables = [info for info in archive.infolist() if info.filename.rpartition("/")[2] == "leaderboard.csv"]
            if not tables:
                return _nothing("The scores file is a zip without a leaderboard.csv; no score was read.")
            if tables[0].file_size > _LARGEST:
                return _nothing(
                    "The leaderboard.csv in the scores file is larger than 256 MiB; no score was read."
                )
            return archive.read(tables[0])
    # Of the module zipfile: what is damaged, what has a password, what is packed in a way that it does not know.
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        return _nothing(f"The scores file is a zip that cannot be unpacked ({error}); no score was read.")


Cells = Iterator[tuple[str, list[tuple[str, str]]]]
"""For each line the model's name, and the text of each column."""


def _wide(
    lines: Sequence[Sequence[str]], header: Sequence[str], at_model: int
) -> tuple[list[str], Cells, list[str]]:
    names = [_VERSION.sub("", name) for name in header]
    wanted = [at for at, name in enumerate(names) if at != at_model and name.lower() not in _IGNORED]
    repeated = sorted(name for name, count in Counter(names[at] for at in wanted).items() if count > 1)
    places = sorted({names[at]: at for at in reversed(wanted)}.values())
    # Not stripped: today's leaderboard has both "vonegrcnn_47e" and the same with a space behind it.
    named = [line for line in lines if at_model < len(line) and line[at_model].strip()]
    remarks = []
    if nameless := len(lines) - len(named):
        remarks.append(f"Rows without a model's name, left out: {nameless}.")
    if uneven := sum(len(line) != len(header) for line in lines):
        remarks.append(f"Rows with more or fewer cells than the header has columns: {uneven}.")
    if repeated:
        remarks.append(f"Columns named twice were read once, the leftmost: {', '.join(repeated)}.")
    cells = (
        (line[at_model], [(names[at], line[at] if at < len(line) else "") for at in places]) for line in named
    )
    return [names[at] for at in places], cells, remarks


def _tidy(
    lines: Sequence[Sequence[str]], header: Sequence[str], at_model: int
) -> tuple[list[str], Cells, list[str]]:
    lower = [name.lower() for name in header]
    at_benchmark, at_score = (lower.index(name) for name in _TIDY)
    whole = [line for line in lines if len(line) > max(at_model, at_benchmark, at_score)]
    named = [line for line in whole if line[at_model].strip() and line[at_benchmark].strip()]
    remarks = []
    if short := len(lines) - len(named):
        remarks.append(f"Rows without a model, a benchmark or a score, left out: {short}.")
    columns = list(dict.fromkeys(line[at_benchmark].strip() for line in named))
    cells = ((line[at_model], [(line[at_benchmark].strip(), line[at_score])]) for line in named)
    by_model: dict[str, dict[str, str]] = {}
    ordered: list[tuple[str, list[tuple[str, str]]]] = []
    for model, [(benchmark, text)] in cells:
        row = by_model.setdefault(model, {})
        if _number(row.setdefault(benchmark, text).strip()) != _number(text.strip()):
            ordered.append((model, [(benchmark, text)]))
    ordered[:0] = [(model, list(row.items())) for model, row in by_model.items()]
    return columns, iter(ordered), remarks


def _rows(
    cells: Iterable[tuple[str, list[tuple[str, str]]]],
) -> tuple[dict[str, dict[str, float]], list[str], list[str]]:
    """The rows by model, the models whose rows contradict each other, and cells that say nothing."""
    rows: dict[str, dict[str, float]] = {}
    contradicting: dict[str, None] = {}
    unreadable: list[str] = []
    for model, texts in cells:
        row = {}
        for column, text in texts:
            value = _number(text.strip())
            if value is not None:
                row[column] = value
            elif text.strip().lower() not in _MISSING:
                unreadable.append(f"“{text.strip()[:40]}” ({model}, {column})")
        if rows.setdefault(model, row) != row:
            contradicting[model] = None
    return {name: row for name, row in rows.items() if name not in contradicting}, [*contradicting], unreadable


def _number(cell: str) -> float | None:
    if not _NUMBER.fullmatch(cell):
        return None
    value = float(cell)
    return value if math.isfinite(value) else None
