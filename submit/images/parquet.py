"""Parquet shards in the layout of the Hugging Face hub: a struct `image` of bytes and path, an integer `label`."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from alignsec.errors import ConfigError, ConfigErrors
from alignsec.images.pack import Candidate

_BYTES, _PATH = "image.bytes", "image.path"


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
    groups: dict[tuple[Path, int], list[ParquetRow]] = defaultdict(list)
    for row in chosen:
        if not isinstance(row, ParquetRow):
            raise TypeError(f"{row.name} is not a row of a parquet file")
        groups[row.path, row.group].append(row)
    placed: dict[str, Candidate] = {}
    with spool.open("wb") as file:
        for (path, group), rows in groups.items():
            table = _open(path).read_row_group(group, columns=[_BYTES])
            data = table.column("image").combine_chunks().field("bytes")
            for row in rows:
                content = data[row.row].as_py()
                placed[row.name] = Candidate(row.name, row.label, spool, file.tell(), len(content))
                file.write(content)
    return [placed[row.name] for row in chosen]


def _read_rows(shard: Path) -> Iterator[ParquetRow]:
    file = _open(shard)
    columns = {file.schema.column(i).path for i in range(len(file.schema.names))}
    _require_columns(shard, file, columns)
    has_paths = _PATH in columns
    wanted = ["label", _PATH] if has_paths else ["label"]
    for group in range(file.num_row_groups):
        table = file.read_row_group(group, columns=wanted)
        labels = table.column("label").to_pylist()
        images = table.column("image").to_pylist() if has_paths else [None] * len(labels)
        for row, (image, label) in enumerate(zip(images, labels, strict=True)):
            if label is None or label < 0:
                given = "" if label is None else str(label)
                remedy = "is not a label; the test split of an image set has none, use the validation split"
                field = f"row {row} of group {group}"
                raise ConfigErrors([ConfigError(path=shard, field=field, given=given, remedy=remedy)])
            name = PurePosixPath((image or {}).get("path") or "").name
            found = ParquetRow(name, int(label), shard, group=group, row=row)
            yield found if name else _name_by_position(found)


def _require_columns(shard: Path, file: Any, columns: set[str]) -> None:  # noqa: ANN401 - pyarrow ships no types
    schema = file.schema_arrow
    label_types = [str(schema.field(i).type) for i in range(len(schema)) if schema.field(i).name == "label"]
    if _BYTES not in columns or not label_types or not label_types[0].startswith(("int", "uint")):
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
        from pyarrow import ArrowException  # noqa: PLC0415
        from pyarrow.parquet import ParquetFile  # noqa: PLC0415
    except ImportError:
        remedy = "needs pyarrow, which is not installed; install the staging extra: pip install 'pyarrow>=18'"
        raise ConfigErrors.about(path, remedy) from None
    try:
        return ParquetFile(path)
    except (ArrowException, OSError) as error:
        remedy = f"cannot be read as parquet ({str(error).splitlines()[0]}); download it again"
        raise ConfigErrors.about(path, remedy) from None
