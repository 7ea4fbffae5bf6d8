"""Outcome files: JSON with a checksum, written once and never edited; in a folder or in a tar archive."""

import io
import json
import re
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, cast

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from alignsec import archives, atomic, bounded, digest, limits
from alignsec.run.outcome import VERSION, Failure, Outcome, Record

_ADAPTER: TypeAdapter[Record | Failure] = TypeAdapter(Outcome)
CHECKSUM_BYTES = 79
"""Length of the last line: the key, 64 digits and punctuation."""


class DamagedOutcomeError(Exception):
    """An outcome file that is truncated, edited, or of another version."""


def dump(outcome: Record | Failure) -> bytes:
    """Return the content of an outcome file: one JSON object with one field per line.

    The last line holds the SHA-256 of all bytes before it: `head -n -1 FILE | sha256sum` prints the digest that
    `tail -n 1 FILE` shows.
    """
    fields = outcome.model_dump(mode="json").items()
    lines = [f"{_to_json(name)}: {_to_json(value)},\n" for name, value in fields]
    return add_checksum("".join(["{\n", *lines]).encode())


def add_checksum(body: bytes) -> bytes:
    """Return all lines of a file but the last, with the last line, the checksum, appended."""
    return body + _checksum_line(body)


def _to_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _checksum_line(body: bytes) -> bytes:
    return b'"checksum": "%s"}' % digest.sha256_of_bytes(body).encode()


def parse(data: bytes) -> Record | Failure:
    """Return the outcome in the bytes of its file.

    Raises:
        DamagedOutcomeError: If any byte changed since it was written, or the version is another one.
    """
    return _parse(data, _parse_json)


def parse_summary(data: bytes) -> Record | Failure:
    """Return the outcome in the bytes of its file without the steps and distances of broken images.

    These are half of a file, and no table needs them. Lines that are equal in all outcomes of a run are parsed
    once.

    Raises:
        DamagedOutcomeError: As for `parse`.
    """
    return _parse(data, _parse_summary_json)


def _parse(data: bytes, parse_json: Callable[[bytes], object]) -> Record | Failure:
    body = data[:-CHECKSUM_BYTES]
    if data[-CHECKSUM_BYTES:] != _checksum_line(body):
        raise DamagedOutcomeError(_explain_damage(data))
    layout = f"has another layout than version {VERSION}"
    try:
        # In two steps: pydantic's validate_json takes 1.5 times as long (pydantic 2.14, files of 1,000 images).
        return _ADAPTER.validate_python(parse_json(body.removesuffix(b",\n") + b"}"))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise DamagedOutcomeError(f"{layout}: {place}: {first['msg']}") from None
    except ValueError as error:
        raise DamagedOutcomeError(f"{layout}: {error}") from None


def _parse_json(text: bytes) -> object:
    return from_json(text, allow_inf_nan=False)


_SEARCHES = re.compile(rb',"broken_at_(?:step|distance)":\[[^]]*\]')
"""Matches only keys: in a JSON string, a backslash precedes every quote."""
_SHARED = frozenset({b'"images":', b'"labels":', b'"legend":'})
"""Beginnings of the lines that are equal in most files of a run."""


def _parse_summary_json(text: bytes) -> object:
    shared: dict[str, object] = {}
    lines = []
    for line in _SEARCHES.sub(b"", text).split(b"\n"):
        if line[:9] in _SHARED and line.endswith(b","):
            shared |= _parse_shared_line(line)
        else:
            lines.append(line)
    content = _parse_json(b"\n".join(lines))
    return {**content, **shared} if isinstance(content, dict) else content


@lru_cache(maxsize=8)
def _parse_shared_line(line: bytes) -> dict[str, object]:
    content: dict[str, object] = from_json(b"{%s}" % line[:-1], allow_inf_nan=False)
    return content


def _explain_damage(data: bytes) -> str:
    """Return why a file whose checksum does not match its bytes is not an outcome file."""
    try:
        content: Any = json.loads(data, parse_constant=_reject_constant)
        checksum = content.pop("checksum", None) if isinstance(content, dict) else None
        # Inside the try block: json.loads accepts 1e999 and lone surrogates, which sha256_of_json rejects.
        is_version_1 = (
            checksum is not None
            and content.get("schema_version") == 1
            and digest.sha256_of_json(content) == checksum
        )
    except (ValueError, RecursionError) as error:
        return f"is not valid JSON ({error}); the transfer may have truncated it"
    if checksum is None:
        return "has no checksum: it is not an outcome file"
    if is_version_1:
        return (
            f"is of version 1, and this code reads version {VERSION}: analyse its run with that run's own "
            "code.zip, or submit the study again"
        )
    return "was changed after it was written: its checksum does not match its bytes"


def _reject_constant(constant: str) -> None:
    raise ValueError(f"{constant} is not a number in JSON")


def write(path: Path, outcome: Record | Failure) -> None:
    """Write an outcome file atomically.

    Raises:
        OSError: If the file cannot be written completely.
    """
    atomic.write_atomic(path, dump(outcome))


def read(path: Path) -> Record | Failure:
    """Read an outcome file.

    Raises:
        DamagedOutcomeError: As for `parse`; and for a directory, link or pipe, which a job can leave there.
        OSError: If the file cannot be read.
    """
    try:
        return parse(bounded.read_regular(path, limits.OUTCOME_BYTES))
    except (bounded.NotAFileError, bounded.TooLargeError) as error:
        raise DamagedOutcomeError(str(error)) from None


@dataclass(frozen=True, slots=True)
class OutcomeFile:
    """The location of an outcome file: a file, a byte range of an archive, or data unpacked from one."""

    name: str
    """File name without `.json`, which should be the pair's id. What is not printable is escaped."""
    path: Path
    start: int = 0
    """Position of the first byte."""
    size: int = -1
    """Number of bytes; -1 for the rest of the file."""
    data: bytes | None = None
    """The content, if the archive is compressed."""

    def read(self) -> bytes:
        """Return the content.

        Raises:
            DamagedOutcomeError: If the entry of a folder is not a file, is too large, or cannot be read.
            OSError: If the archive cannot be read.
            tarfile.ReadError: If the archive is truncated.
        """
        if self.data is not None:
            return self.data
        if self.size < 0:
            return _read_entry(self.path)
        with self.path.open("rb") as file:
            file.seek(self.start)
            data = file.read(self.size)
        if len(data) < self.size:
            raise tarfile.ReadError("unexpected end of data")
        return data


def _read_entry(path: Path) -> bytes:
    """Return the bytes of an entry of the outcomes folder. Jobs decide what it is, so one must not stop a run."""
    try:
        return bounded.read_regular(path, limits.OUTCOME_BYTES)
    except (bounded.NotAFileError, bounded.TooLargeError) as error:
        raise DamagedOutcomeError(str(error)) from None
    except OSError as error:
        raise DamagedOutcomeError(f"cannot be read: {error.strerror}") from None


def list_outcome_files(outcomes: Path) -> Iterator[OutcomeFile]:
    """Yield the outcome files of a folder, sorted, or of a tar archive, in its order.

    Partly written files, whose names start with a dot, are left out. Directories, links and pipes of a folder are
    yielded, and their `read` raises; those of an archive are left out. If the path does not exist, there are none.

    Args:
        outcomes: A folder, or a tar archive with any compression.

    Raises:
        OSError: If the folder or the archive cannot be read.
        tarfile.TarError: If the archive is damaged; decompressors raise other exceptions.
    """
    if outcomes.is_dir():
        for name in sorted(path.name for path in outcomes.iterdir() if _is_outcome(path.name)):
            yield OutcomeFile(_printable(name), outcomes / name)
    elif outcomes.exists():
        with _open(outcomes) as archive:
            # In a compressed archive, members have no position in the file.
            uncompressed = isinstance(archive.fileobj, io.BufferedReader)
            while (member := _next_member(archive)) is not None:
                archive.members = []  # type: ignore[attr-defined] # otherwise it keeps every header in memory
                name = Path(member.name).name
                if not (member.isfile() and _is_outcome(name)):
                    continue
                name = _printable(name)
                if uncompressed and not member.issparse():
                    yield OutcomeFile(name, outcomes, member.offset_data, member.size)
                else:
                    yield OutcomeFile(name, outcomes, data=_unpack(archive, member))
            _check_end(archive)


def _open(outcomes: Path) -> tarfile.TarFile:
    """Open an archive, which reads its first header; raise `tarfile.ReadError` for any damage."""
    try:
        return tarfile.open(outcomes)
    except archives.TAR_ERRORS as error:
        raise tarfile.ReadError(archives.explain(error)) from error


def _next_member(archive: tarfile.TarFile) -> tarfile.TarInfo | None:
    """Return the next member, or None; raise `tarfile.ReadError` for any damage of its header."""
    try:
        member = archive.next()
    except archives.TAR_ERRORS as error:
        raise tarfile.ReadError(archives.explain(error)) from error
    if member is not None and not 0 <= member.size <= limits.OUTCOME_BYTES:
        raise tarfile.ReadError(f"a file of {member.size:,} bytes; the limit is {limits.OUTCOME_BYTES:,}")
    return member


def _unpack(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    try:
        file = archive.extractfile(member)
        return file.read() if file else b""
    except archives.TAR_ERRORS as error:
        raise tarfile.ReadError(archives.explain(error)) from error


def _check_end(archive: tarfile.TarFile) -> None:
    """Raise `tarfile.ReadError` if the archive does not end with a block of zeros, as POSIX's format requires.

    After the first member, `TarFile.next` ends silently at a damaged header and at the end of the file.
    """
    file = cast("IO[bytes]", archive.fileobj)
    file.seek(archive.offset)
    if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError("no end of the archive after the last file")


def _is_outcome(name: str) -> bool:
    return name.endswith(".json") and not name.startswith(".")


def _printable(name: str) -> str:
    """Return a file name without `.json`, with bytes that are not UTF-8 and control characters escaped."""
    stem = name.removesuffix(".json")
    if stem.isprintable():
        return stem
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in stem)
