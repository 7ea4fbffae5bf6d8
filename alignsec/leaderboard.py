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

from alignsec import archives
from alignsec.spreadsheet import unguard_text

MODEL_COLUMNS = ("model", "model_registry_name", "model_name", "registry_name", "model_id", "name")
"""Possible headers of the column with the model's name, by priority; case is ignored."""
_TIDY_COLUMNS = ("benchmark", "score")
_KNOWN = frozenset(
    {
        *("rank", "filtered score", "filtered_score", "layers", "og_model_name", "model id", "submitter"),
        *("folder", "state", "line"),  # columns of `python -m aggregate.registry`
        *MODEL_COLUMNS,
    }
)
"""Columns of the known formats that are not scores."""
_FACT = re.compile(
    r"unnamed(:?_\d+)*|index|idx|ids?|uid|no|nr|number|row(_?(id|number))?|position|pos|rank(ing)?"
    r"|(release_?|publication_?|training_?)?(year|date|time)|(released|published|created|updated|submitted)(_?(at|on))?"
    r"|(n|num|number_of|total|trainable|model)?_?(params?|parameters?|weights)(_?counts?)?"
    r"|(num_?|model_?)?([kmgtp]_?)?(fl?op|mac|madd|multiply?_add)s?"
    r"|(n|num|number_of)_?(layers|classes|images|benchmarks|epochs|scores)|depth|epochs?|batch_size"
    r"|(input_?|image_?|img_?|crop_?|model_?|file_?|disk_?)(size|resolution)|resolution|activations?|acts"
    r"|latency|throughput|speed|memory|vram|(train|training|inference|run)_?time|seconds|gpu_?hours"
    r"|famil(y|ies)|arch(itecture)?s?|dataset|training_?(data|set)|pretrain(ing|ed)?(_?(data|dataset))?"
    r"|source|url|link|paper|doi|bibtex|citation|authors?|user|owner|organi[sz]ation|licen[cs]e|notes?|comments?"
    r"|description|runnable|public|visual_degrees|identifier"
)
"""Normalised headers, without a unit, of an index or of a fact about a model."""
_UNIT = re.compile(
    r"_?[(\[][^)\]]*[)\]]$|_(in_)?([kmbgt]|millions?|billions?|mb|gb|mib|gib|ms|s|px|pixels|e[69]|1e[69])$"
)
# Today's leaderboard leaves a cell empty; the legacy export writes X.
_MISSING = frozenset({"", "x", "nan", "na", "n/a", "null", "none"})
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_VERSION = re.compile(r"(?<=.)_v\d+$")
_MAX_UNPACKED_BYTES = 256 * 2**20
"""Largest size of a table in a zip. The whole leaderboard has half a megabyte."""
_MAX_NAMED = 10
"""Left-out rows that a remark names; it counts the others."""


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
    unusable: str = ""
    """The reason why the file has no score at all, which is a remark too; empty if it has one."""


class _UnreadableError(Exception):
    """The file cannot be read; the message is the remark."""


class _Lines(NamedTuple):
    """The header and the lines of a CSV file, with the index of the model's column."""

    header: list[str]
    lines: list[tuple[int, list[str]]]
    """Number in the file and cells of each line that has as many cells as the header."""
    model_index: int
    remarks: list[str]
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
        return Leaderboard(remarks=(str(error),), unusable=str(error))
    tidy = set(_TIDY_COLUMNS) <= {name.lower() for name in table.header}
    columns, cells = (_read_tidy if tidy else _read_wide)(table)
    remarks = table.remarks
    rows, contradicting, unreadable = _collect_rows(cells)
    if unreadable:
        remarks.append(
            f"Cells that are neither numbers nor blank, taken as missing: {len(unreadable)}; "
            f"the first is {unreadable[0]}."
        )
    unusable = "" if any(rows.values()) else "The scores file has no score of any model; no score was read."
    if unusable and not contradicting:
        remarks.append(unusable)
    return Leaderboard(tuple(columns), rows, tuple(contradicting), tuple(remarks), table.generated, unusable)


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
    except (*archives.ZIP_ERRORS, OSError) as error:
        raise _UnreadableError(
            f"The scores file is a zip that cannot be unpacked ({archives.explain(error)}); no score was read."
        ) from None


def _read_lines(data: bytes) -> _Lines:
    try:
        reader = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""))
        numbered = [(reader.line_num, line) for line in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        why = f"The scores file is not a CSV file in UTF-8 ({error}); no score was read."
        raise _UnreadableError(why) from None
    generated = _take_comments(numbered)
    numbered = [(at, line) for at, line in numbered if any(cell.strip() for cell in line)]
    header = [unguard_text(name.strip()) for name in numbered[0][1]] if numbered else []
    lower = [name.lower() for name in header]
    model_index = next((lower.index(name) for name in MODEL_COLUMNS if name in lower), None)
    if model_index is None:
        raise _UnreadableError("The scores file has no column named Model; no score was read.")
    even = [(at, line) for at, line in numbered[1:] if len(line) == len(header)]
    uneven = [(at, line) for at, line in numbered[1:] if len(line) != len(header)]
    return _Lines(header, even, model_index, _describe_uneven(uneven, model_index), generated)


def _take_comments(numbered: list[tuple[int, list[str]]]) -> str:
    """Remove the comment lines at the beginning; return the generation time that they state, or an empty text."""
    generated = ""
    while numbered and numbered[0][1] and numbered[0][1][0].startswith("#"):
        stated = re.match(r"#\s*Generated on (\S+)", numbered.pop(0)[1][0])
        generated = stated.group(1) if stated else generated
    return generated


def _describe_uneven(lines: list[tuple[int, list[str]]], model_index: int) -> list[str]:
    """Return a remark about rows of another length, which may be shifted, so that nothing of them is used."""
    if not lines:
        return []
    named = [f"line {at} (“{line[min(model_index, len(line) - 1)][:60]}”)" for at, line in lines[:_MAX_NAMED]]
    more = f" and {len(lines) - _MAX_NAMED} more" if len(lines) > _MAX_NAMED else ""
    return [f"Rows with more or fewer cells than the header has columns, left out: {', '.join(named)}{more}."]


def _read_wide(table: _Lines) -> tuple[list[str], Cells]:
    """Read a table with one row per model and one column per score."""
    header, lines, model_index, remarks, _ = table
    names = [_VERSION.sub("", name) for name in header]
    # Names are not stripped: today's leaderboard has both "vonegrcnn_47e" and the same name with a trailing space.
    named = [line for _, line in lines if line[model_index].strip()]
    indices, repeated, ignored = _select_columns(names, model_index, named)
    if nameless := len(lines) - len(named):
        remarks.append(f"Rows without a model's name, left out: {nameless}.")
    if ignored:
        remarks.append(f"Columns that are not benchmarks, ignored: {', '.join(ignored)}.")
    if repeated:
        remarks.append(f"Repeated columns, of which only the leftmost is read: {', '.join(repeated)}.")
    cells = ((unguard_text(line[model_index]), [(names[at], line[at]) for at in indices]) for line in named)
    return [names[at] for at in indices], cells


def _select_columns(
    names: Sequence[str], model_index: int, lines: Sequence[Sequence[str]]
) -> tuple[list[int], list[str], list[str]]:
    """Return the index of each score column, the names that are repeated, and the columns that are ignored.

    The leftmost of several score columns with one name counts.
    """
    others = [at for at, name in enumerate(names) if at != model_index and name.lower() not in _KNOWN]
    facts = _find_facts(names, others, model_index, lines)
    wanted = [at for at in others if at not in facts]
    repeated = sorted(name for name, count in Counter(names[at] for at in wanted).items() if count > 1)
    return (
        sorted({names[at]: at for at in reversed(wanted)}.values()),
        repeated,
        [text for text in facts.values() if text],
    )


def _find_facts(
    names: Sequence[str], among: Sequence[int], model_index: int, lines: Sequence[Sequence[str]]
) -> dict[int, str]:
    """Return the text that reports each index or fact, by column; empty for a column without name and content."""
    found: dict[int, str] = {}
    for at in among:
        cells = [line[at].strip() for line in lines]
        # Row numbers are an index only to the left of the model: a named column to the right can be a score.
        if is_fact(names[at]) or (at < model_index and _is_index(cells)):
            found[at] = names[at] or (f"column {at + 1}, which has no name" if any(cells) else "")
    return found


def is_fact(name: str) -> bool:
    """Return True if a header names an index or a fact about a model, such as its year, and no benchmark."""
    column = re.sub(r"[\s_.#%/:-]+", "_", name.strip().lower()).strip("_")
    return not column or bool(_FACT.fullmatch(column) or _FACT.fullmatch(_UNIT.sub("", column)))


def _is_index(cells: Sequence[str]) -> bool:
    """Return True if the cells count the rows: 0, 1, 2 and so on, or 1, 2, 3."""
    counts = [[str(at) for at in range(start, start + len(cells))] for start in (0, 1)]
    return len(cells) > 2 and list(cells) in counts


def _read_tidy(table: _Lines) -> tuple[list[str], Cells]:
    """Read a table with one row per model and benchmark."""
    header, lines, model_index, remarks, _ = table
    lower = [name.lower() for name in header]
    benchmark_index, score_index = (lower.index(name) for name in _TIDY_COLUMNS)
    named = [line for _, line in lines if line[model_index].strip() and line[benchmark_index].strip()]
    if short := len(lines) - len(named):
        remarks.append(f"Rows without a model or a benchmark, left out: {short}.")
    if facts := list(dict.fromkeys(line[benchmark_index] for line in named if is_fact(line[benchmark_index]))):
        remarks.append(f"Rows that are not about benchmarks, ignored: {', '.join(facts)}.")
    by_model: dict[str, dict[str, str]] = {}
    contradictions: list[tuple[str, list[tuple[str, str]]]] = []
    scored = [line for line in named if line[benchmark_index] not in facts]
    for line in scored:
        model, text = unguard_text(line[model_index]), line[score_index]
        benchmark = unguard_text(line[benchmark_index].strip())
        row = by_model.setdefault(model, {})
        if _parse_number(row.setdefault(benchmark, text).strip()) != _parse_number(text.strip()):
            contradictions.append((model, [(benchmark, text)]))
    rows = [(model, list(row.items())) for model, row in by_model.items()]
    columns = list(dict.fromkeys(unguard_text(line[benchmark_index].strip()) for line in scored))
    return columns, iter([*rows, *contradictions])


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
