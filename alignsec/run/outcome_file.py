"""The file of an outcome: JSON that validates itself, never edited, never appended to; and where it stands."""

import io
import json
import re
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from alignsec import atomic, digest
from alignsec.run.outcome import VERSION, Failure, Outcome, Record

_ADAPTER: TypeAdapter[Record | Failure] = TypeAdapter(Outcome)
_SEAL_BYTES = 79
"""Of the last line: 64 digits and what stands around them."""


class DamagedOutcomeError(Exception):
    """A file that is not the outcome that was written: cut short, edited by hand, or of another layout."""


def dump(outcome: Record | Failure) -> bytes:
    """The file's bytes: one JSON object, a field a line, in the last line the SHA-256 of all bytes before it.

    So `head -n -1 FILE | sha256sum` gives what `tail -n 1 FILE` says.
    """
    fields = outcome.model_dump(mode="json").items()
    lines = [f"{_json(name)}: {_json(value)},\n" for name, value in fields]
    return add_checksum("".join(["{\n", *lines]).encode())


def add_checksum(body: bytes) -> bytes:
    """A file's bytes from all its lines but the last."""
    return body + _seal(body)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _seal(body: bytes) -> bytes:
    return b'"checksum": "%s"}' % digest.sha256_of_bytes(body).encode()


def parse(data: bytes) -> Record | Failure:
    """An outcome from its file's bytes.

    Raises Damaged, saying what is wrong, unless every byte is as it was written.
    """
    return _parsed(data, _content)


def parse_summary(data: bytes) -> Record | Failure:
    """As parse, but a record comes without the steps and distances at which images broke.

    They are half of a file and no table tells them; and what all outcomes of a run have in common is read once.
    """
    return _parsed(data, _content_skimmed)


def _parsed(data: bytes, content: Callable[[bytes], object]) -> Record | Failure:
    body = data[:-_SEAL_BYTES]
    if data[-_SEAL_BYTES:] != _seal(body):
        raise DamagedOutcomeError(_what_is_wrong(data))
    layout = f"has another layout than version {VERSION}"
    try:
        # In two steps, because pydantic's validate_json takes half as long again (2.14, files of 1,000 images).
        return _ADAPTER.validate_python(content(body.removesuffix(b",\n") + b"}"))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise DamagedOutcomeError(f"{layout}: {place}: {first['msg']}") from None
    except ValueError as error:
        raise DamagedOutcomeError(f"{layout}: {error}") from None


def _content(text: bytes) -> object:
    return from_json(text, allow_inf_nan=False)


_SEARCHES = re.compile(rb',"broken_at_(?:step|distance)":\[[^]]*\]')
"""No string of a file has this in it: there every quote stands behind a backslash."""
_COMMON = frozenset({b'"images":', b'"labels":', b'"legend":'})
"""How the lines begin that are the same in most files of a run."""


def _content_skimmed(text: bytes) -> object:
    common: dict[str, object] = {}
    lines = []
    for line in _SEARCHES.sub(b"", text).split(b"\n"):
        if line[:9] in _COMMON and line.endswith(b","):
            common |= _common(line)
        else:
            lines.append(line)
    content = _content(b"\n".join(lines))
    return {**content, **common} if isinstance(content, dict) else content


@lru_cache(maxsize=8)
def _common(line: bytes) -> dict[str, object]:
    content: dict[str, object] = from_json(b"{%s}" % line[:-1], allow_inf_nan=False)
    return content


def _what_is_wrong(data: bytes) -> str:
    """Why a file without a checksum that fits its bytes is no outcome."""
    try:
        content: Any = json.loads(data, parse_constant=_refuse)
        checksum = content.pop("checksum", None) if isinstance(content, dict) else None
        # Inside, because json.loads takes 1e999 and half a character, which no outcome has.
        earlier = (
            checksum is not None
            and content.get("schema_version") == 1
            and digest.sha256_of_json(content) == checksum
        )
    except (ValueError, RecursionError) as error:
        return f"is not JSON ({error}); was its transfer cut short?"
    if checksum is None:
        return "has no checksum: it is not an outcome file"
    if earlier:
        return (
            f"is of version 1, and this code reads version {VERSION}: analyse its run with that run's own "
            "code.zip, or submit the study again"
        )
    return "was changed after it was written: its checksum does not match its bytes"


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not a number in JSON")


def write(path: Path, outcome: Record | Failure) -> None:
    """Write an outcome file, aside and renamed. Raises OSError if it cannot be written whole."""
    atomic.write_atomic(path, dump(outcome))


def read(path: Path) -> Record | Failure:
    """Read an outcome file. Raises Damaged if it is not what was written, OSError if it cannot be read."""
    return parse(path.read_bytes())


@dataclass(frozen=True, slots=True)
class OutcomeFile:
    """An outcome file, named but not read: in a folder, at its place in an archive, or unpacked from one."""

    name: str
    """Without `.json`: the pair's id, if it is what it should be."""
    path: Path
    start: int = 0
    size: int = -1
    """In bytes; -1 is all there are."""
    data: bytes | None = None

    def read(self) -> bytes:
        """Its bytes. Raises OSError; tarfile.ReadError where its archive ends too early."""
        if self.data is not None:
            return self.data
        with self.path.open("rb") as file:
            file.seek(self.start)
            data = file.read(self.size)
        if len(data) < self.size:
            raise tarfile.ReadError("unexpected end of data")
        return data


def list_outcome_files(outcomes: Path) -> Iterator[OutcomeFile]:
    """The outcome files of a folder, sorted, or of a tar archive, in its order; none where neither is there.

    Half-written files start with a dot and are left out. Raises OSError, or what tarfile and its decompressors
    raise of an archive that is damaged or ends too early.
    """
    if outcomes.is_dir():
        for name in sorted(path.name for path in outcomes.iterdir() if _is_outcome(path.name)):
            yield OutcomeFile(name.removesuffix(".json"), outcomes / name)
    elif outcomes.exists():
        with tarfile.open(outcomes) as archive:
            # In a compressed one nothing has a place that could be gone to.
            plain = isinstance(archive.fileobj, io.BufferedReader)
            while (member := archive.next()) is not None:
                archive.members = []  # type: ignore[attr-defined] # else it keeps every header
                name = Path(member.name).name
                if not (member.isfile() and _is_outcome(name)):
                    continue
                name = name.removesuffix(".json")
                if plain and not member.issparse():
                    yield OutcomeFile(name, outcomes, member.offset_data, member.size)
                else:
                    file = archive.extractfile(member)
                    yield OutcomeFile(name, outcomes, data=file.read() if file else b"")


def _is_outcome(name: str) -> bool:
    return name.endswith(".json") and not name.startswith(".")
