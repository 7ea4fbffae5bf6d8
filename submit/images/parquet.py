"""Parquet shards in the layout of the Hugging Face hub: a struct `image` of bytes and path, an integer `label`."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from alignsec import limits
from alignsec.errors import ConfigError, ConfigErrors
from alignsec.images.pack import Candidate

_BYTES, _PATH = "image.bytes", "image.path"
ROWS_AT_ONCE = 16
"""Rows whose images are in memory together."""


@dataclass(frozen=True)
class ParquetRow(Candidate):
    """An image in a parquet file. Its bytes are compressed with others', so it has no offset and size."""

    group: int = 0
    """The row group in the file."""
    row: int = 0
    """The row in the group."""

    def read(self) -> bytes:
        """Raise NotImplementedError: row groups are read as a whole, by `gather_rows`."""
        raise NotImplementedError("gather rows of parquet files before reading them")


def read_shards(shards: Sequence[Path]) -> list[Candidate]:
    """Return every labelled image, without its bytes.

    An image is named after the last part of its path. Without a path, or if several images have this name, it is
    named after its position in the shards.

    Args:
        shards: The parquet files.

    Raises:
        ConfigErrors: Files are damaged or have other columns, or pyarrow is not installed.
    """
    found: list[ParquetRow] = []
    errors: list[ConfigError] = []
    for shard in shards:
        try:
            found += list(_read_rows(shard))
        except ConfigErrors as error:
            errors += error.errors
    if errors:
        raise ConfigErrors(errors)
    times = Counter(row.name for row in found)
    return [row if times[row.name] == 1 else _name_by_position(row) for row in found]


def gather_rows(chosen: Sequence[Candidate], spool: Path) -> list[Candidate]:
    """Write the bytes of the selected rows into one file. Only one row group at a time is in memory.

    Args:
        chosen: Rows that `read_shards` returned.
        spool: The file to write.

    Returns:
        The images in the same order, with their position in the new file.
    """
    groups: dict[tuple[Path, int], dict[int, ParquetRow]] = defaultdict(dict)
    for row in chosen:
        if not isinstance(row, ParquetRow):
            raise TypeError(f"{row.name} is not a row of a parquet file")
        groups[row.path, row.group][row.row] = row
    placed: dict[str, Candidate] = {}
    with spool.open("wb") as file:
        for (path, group), rows in groups.items():
            for number, content in _read_images(_open(path), path, group):
                if wanted := rows.get(number):
                    if content is None:
                        raise _row_error(wanted)
                    placed[wanted.name] = Candidate(wanted.name, wanted.label, spool, file.tell(), len(content))
                    file.write(content)
    if absent := [row for row in chosen if isinstance(row, ParquetRow) and row.name not in placed]:
        raise _row_error(absent[0])  # the row group has fewer rows than its file says
    return [placed[row.name] for row in chosen]


def _read_images(file: Any, path: Path, group: int) -> Iterator[tuple[int, bytes | None]]:  # noqa: ANN401
    """Yield each row of a row group with its image, None for a null; a few rows at a time are in memory."""
    first = 0
    with _reading(path):
        for batch in file.iter_batches(ROWS_AT_ONCE, row_groups=[group], columns=[_BYTES]):
            images = batch.column("image").to_pylist()
            yield from ((first + row, image and image["bytes"]) for row, image in enumerate(images))
            first += len(images)


def _read_rows(shard: Path) -> Iterator[ParquetRow]:
    file = _open(shard)
    with _reading(shard):
        columns = {file.schema.column(i).path: i for i in range(len(file.schema.names))}
        _require_columns(shard, file, set(columns))
        _require_size(shard, file)
        _require_types(shard, file)
    has_paths = _PATH in columns
    wanted = ["label", _PATH] if has_paths else ["label"]
    for group in range(file.num_row_groups):
        with _reading(shard):
            table = file.read_row_group(group, columns=wanted)
            labels = table.column("label").to_pylist()
            images = table.column("image").to_pylist() if has_paths else [None] * len(labels)
        rows = []
        for row, (image, label) in enumerate(zip(images, labels, strict=True)):
            if label is None or not 0 <= label <= limits.LARGEST_LABEL:
                raise _label_error(shard, f"row {row} of group {group}", label)
            name = PurePosixPath((image or {}).get("path") or "").name
            found = ParquetRow(name, label, shard, group=group, row=row)
            rows.append(found if name else _name_by_position(found))
        if _may_have_nulls(file, group, columns[_BYTES]):
            for number, content in _read_images(file, shard, group):
                if content is None:
                    raise _row_error(rows[number])
        yield from rows


def _label_error(shard: Path, field: str, label: int | None) -> ConfigErrors:
    given = "" if label is None else str(label)
    remedy = (
        "is not a label; the test split of an image set has none, use the validation split"
        if label in {None, -1}
        else f"is not a label; expected a whole number from 0 to {limits.LARGEST_LABEL:,}"
    )
    return ConfigErrors([ConfigError(path=shard, field=field, given=given, remedy=remedy)])


def _may_have_nulls(file: Any, group: int, column: int) -> bool:  # noqa: ANN401 - pyarrow ships no types
    """Return whether the file's statistics state null images. Without statistics `gather_rows` finds them."""
    statistics = file.metadata.row_group(group).column(column).statistics
    return statistics is not None and statistics.has_null_count and statistics.null_count > 0


def _row_error(row: ParquetRow) -> ConfigErrors:
    remedy = "has no image (null); remove the row, or download the file again"
    return ConfigErrors([ConfigError(path=row.path, field=f"row {row.row} of group {row.group}", remedy=remedy)])


def _require_size(shard: Path, file: Any) -> None:  # noqa: ANN401 - pyarrow ships no types
    """Raise ConfigErrors if the file has more rows or larger row groups than the limits."""
    metadata = file.metadata
    if not 0 <= metadata.num_rows <= limits.IMAGES:
        raise ConfigErrors.about(shard, f"states {metadata.num_rows:,} rows; the limit is {limits.IMAGES:,}")
    for group in range(metadata.num_row_groups):
        if (size := metadata.row_group(group).total_byte_size) > limits.ROW_GROUP_BYTES:
            remedy = f"has a row group of {size:,} bytes; write groups of at most {limits.ROW_GROUP_BYTES:,}"
            raise ConfigErrors.about(shard, remedy)


def _require_types(shard: Path, file: Any) -> None:  # noqa: ANN401 - pyarrow ships no types
    """Raise ConfigErrors if a row group states another type than the schema; pyarrow's statistics abort then."""
    for group in range(file.metadata.num_row_groups):
        columns = file.metadata.row_group(group)
        for number in range(columns.num_columns):
            stated, expected = columns.column(number).physical_type, file.schema.column(number).physical_type
            if stated != expected:
                remedy = (
                    f"is damaged: column {number} of group {group} is {stated}, not {expected}; download it again"
                )
                raise ConfigErrors.about(shard, remedy)


def _require_columns(shard: Path, file: Any, columns: set[str]) -> None:  # noqa: ANN401 - pyarrow ships no types
    types = {field.name: field.type for field in file.schema_arrow}
    label, image = str(types.get("label")), types.get("image")
    parts = {field.name: str(field.type) for field in image or ()} if _BYTES in columns else {}
    paths = {"string", "large_string", "null"}  # null: every path is missing
    valid = parts.get("bytes") in {"binary", "large_binary"} and parts.get("path", "null") in paths
    if not valid or not label.startswith(("int", "uint")):
        remedy = (
            "must have a column image with bytes and path, and a column label of integers; "
            f"its columns are {sorted(columns)}"
        )
        raise ConfigErrors.about(shard, remedy)


def _name_by_position(row: ParquetRow) -> ParquetRow:
    name = f"{row.path.stem}/{row.group:04}-{row.row:06}"
    return ParquetRow(name, row.label, row.path, group=row.group, row=row.row)


def _open(path: Path) -> Any:  # noqa: ANN401 - pyarrow ships no types
    """Open a parquet file; raise ConfigErrors if pyarrow is not installed or the file is not parquet."""
    try:
        # Imported here because an access point that packs no parquet files has no pyarrow.
        import pyarrow  # noqa: F401, PLC0415
        from pyarrow.parquet import ParquetFile  # noqa: PLC0415
    except ImportError:
        remedy = "needs pyarrow, which is not installed; install the staging extra: pip install 'pyarrow>=18'"
        raise ConfigErrors.about(path, remedy) from None
    with _reading(path):
        return ParquetFile(path)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Raise ConfigErrors for a damaged parquet file that is read inside `with`."""
    from pyarrow import ArrowException  # noqa: PLC0415 - see _open

    try:
        yield
    # pyarrow raises ValueError, KeyError or MemoryError for some damaged files.
    except (ArrowException, OSError, ValueError, KeyError, MemoryError, OverflowError) as error:
        remedy = f"cannot be read as parquet ({(str(error).splitlines() or ['damaged'])[0]}); download it again"
        raise ConfigErrors.about(path, remedy) from None
