"""Parquet shards, as the model hub has data sets: a struct `image` of bytes and path, an integer `label`."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from alignsec.errors import ConfigError, ConfigErrors
from alignsec.images.pack import Candidate

_BYTES, _PATH = "image.bytes", "image.path"


@dataclass(frozen=True)
class Row(Candidate):
    """An image in a parquet file, whose bytes lie in no one place there."""

    group: int = 0
    row: int = 0
    """In its group."""

    def read(self) -> bytes:
        """Not by itself: a group of rows is read as a whole, by `gather`."""
        raise NotImplementedError("gather rows of parquet files before reading them")


def read(shards: Sequence[Path]) -> list[Candidate]:
    """Every labelled image, without its bytes. Its name is its path's last part, or its place where it has none.

    Raises Mistakes for files that are damaged or hold other columns, and where pyarrow is not installed.
    """
    found: list[Row] = []
    errors: list[ConfigError] = []
    for shard in shards:
        try:
            found += list(_rows(shard))
        except ConfigErrors as error:
            errors += error.errors
    if errors:
        raise ConfigErrors(errors)
    times = Counter(row.name for row in found)
    return [row if times[row.name] == 1 else _by_place(row) for row in found]


def gather(chosen: Sequence[Candidate], spool: Path) -> list[Candidate]:
    """The chosen rows' bytes in one new file, and where they lie in it: a group of rows at a time is in memory."""
    groups: dict[tuple[Path, int], list[Row]] = defaultdict(list)
    for one in chosen:
        if not isinstance(one, Row):
            raise TypeError(f"{one.name} is no row of a parquet file")
        groups[one.path, one.group].append(one)
    placed: dict[str, Candidate] = {}
    with spool.open("wb") as file:
        for (path, group), rows in groups.items():
            table = _open(path).read_row_group(group, columns=[_BYTES])
            data = table.column("image").combine_chunks().field("bytes")
            for row in rows:
                content = data[row.row].as_py()
                placed[row.name] = Candidate(row.name, row.label, spool, file.tell(), len(content))
                file.write(content)
    return [placed[one.name] for one in chosen]


def _rows(shard: Path) -> Iterator[Row]:
    file = _open(shard)
    label = next((i for i in range(len(file.schema_arrow)) if file.schema_arrow.field(i).name == "label"), None)
    columns = {file.schema.column(i).path for i in range(len(file.schema.names))}
    if (
        label is None
        or _BYTES not in columns
        or not str(file.schema_arrow.field(label).type).startswith(("int", "uint"))
    ):
        remedy = (
            f"needs a column image of bytes and path, and a column label of integers; it has {sorted(columns)}"
        )
        raise ConfigErrors.about(shard, remedy)
    wanted = ["label", *([_PATH] if _PATH in columns else [])]
    for group in range(file.num_row_groups):
        table = file.read_row_group(group, columns=wanted)
        labels = table.column("label").to_pylist()
        paths = [(one or {}).get("path") for one in table.column("image").to_pylist()] if _PATH in columns else []
        for row, value in enumerate(labels):
            if value is None or value < 0:
                given = "" if value is None else str(value)
                remedy = "is not a label; the test part of a set has none, take the validation part"
                raise ConfigErrors(
                    [ConfigError(path=shard, field=f"row {row} of group {group}", given=given, remedy=remedy)]
                )
            name = PurePosixPath(paths[row] or "").name if paths else ""
            known = Row(name, int(value), shard, group=group, row=row)
            yield known if name else _by_place(known)


def _by_place(row: Row) -> Row:
    """A row without a name of its own, or with one that others have too, is called by where it stands."""
    name = f"{row.path.stem}/{row.group:04}-{row.row:06}"
    return Row(name, row.label, row.path, group=row.group, row=row.row)


def _open(path: Path) -> Any:  # noqa: ANN401 - pyarrow ships no types
    """Raises Mistakes where pyarrow is not installed or the file is no parquet."""
    try:
        # Here, not above: an access point that packs no parquet has no pyarrow.
        from pyarrow import ArrowException  # noqa: PLC0415
        from pyarrow.parquet import ParquetFile  # noqa: PLC0415
    except ImportError:
        remedy = "needs pyarrow to be read; install requirements of the staging extra: pip install 'pyarrow>=18'"
        raise ConfigErrors.about(path, remedy) from None
    try:
        return ParquetFile(path)
    except (ArrowException, OSError) as error:
        remedy = f"cannot be read as parquet ({str(error).splitlines()[0]}); fetch it again"
        raise ConfigErrors.about(path, remedy) from None
