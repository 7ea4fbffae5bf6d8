"""Failing writes: a disk on which the n-th operation fails.

The operations are: create a file, open it for writing, write, fsync, rename, remove, and create a folder.
"""

import builtins
import errno
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

PATCHED = ("open", "fsync", "replace", "rename", "unlink", "mkdir")
"""Functions of `os` whose calls can fail; an open file's `write` is the other operation."""
MOST = 2000
"""A writer with more operations than this would make a test endless."""
ERRORS: dict[str, Callable[[], BaseException]] = {
    "full disk": lambda: OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
    "damaged disk": lambda: OSError(errno.EIO, os.strerror(errno.EIO)),
    "no memory": MemoryError,
    "interrupt": KeyboardInterrupt,
}


@dataclass
class FailingDisk:
    """A disk on which one operation, or each from one operation on, fails."""

    nth: int
    """Number of the failing operation, from 1."""
    error: Callable[[], BaseException]
    lasting: bool = False
    """Whether all later operations fail too, among them the removal of temporary files."""
    operations: list[str] = field(default_factory=list)
    """Names of the operations so far."""

    def count(self, name: str) -> None:
        """Count one operation.

        Raises:
            BaseException: The disk's error, if this operation fails.
        """
        self.operations.append(name)
        done = len(self.operations)
        if done == self.nth or (self.lasting and done > self.nth):
            raise self.error()

    @property
    def failed(self) -> bool:
        """Whether an operation failed."""
        return len(self.operations) >= self.nth


class _FailingFile:
    """An open file whose writes can fail. A failing write leaves the first half of its data in the file."""

    def __init__(self, file: Any, disk: FailingDisk) -> None:
        self._file = file
        self._disk = disk

    def write(self, data: Any) -> int:
        try:
            self._disk.count("write")
        except BaseException:
            self._file.write(data[: len(data) // 2])
            self._file.flush()
            raise
        return int(self._file.write(data))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> "_FailingFile":
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()


@contextmanager
def failing_disk(disk: FailingDisk) -> Iterator[FailingDisk]:
    """Let operations of this process fail while the context is open."""
    with pytest.MonkeyPatch.context() as patch:
        for name in PATCHED:
            patch.setattr(os, name, _make_failing(name, getattr(os, name), disk))
        for module in (io, builtins):
            patch.setattr(module, "open", _make_failing_open(module.open, disk))
        yield disk


def skip_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let fsync do nothing: it takes most of the time of these tests, and no test crashes the machine."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)


def _make_failing(name: str, real: Callable[..., Any], disk: FailingDisk) -> Callable[..., Any]:
    def operation(*args: Any, **more: Any) -> Any:
        disk.count(name)
        return real(*args, **more)

    return operation


def _make_failing_open(real: Callable[..., Any], disk: FailingDisk) -> Callable[..., Any]:
    def open_file(file: Any, mode: str = "r", *args: Any, **more: Any) -> Any:
        if not set(mode) & set("wax+"):
            return real(file, mode, *args, **more)
        disk.count("open")
        return _FailingFile(real(file, mode, *args, **more), disk)

    return open_file


def read_files(folder: Path) -> dict[str, bytes]:
    """Return the content of each file that is not a temporary file, by relative path."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.startswith("."))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def list_temporary_files(folder: Path) -> list[str]:
    """Return the names of hidden files, which are temporary files."""
    return sorted(path.name for path in folder.rglob(".*"))


def fail_each_operation(
    folder: Path,
    prepare: Callable[[], object],
    write: Callable[[], object],
    check: Callable[[FailingDisk], object] = lambda disk: None,
    error: Callable[[], BaseException] = ERRORS["full disk"],
    lasting: bool = False,
) -> list[str]:
    """Let the 1st, 2nd, 3rd, ... operation of a writer fail, until it succeeds.

    After each failure every file is the complete old or the complete new one. Then the writer runs again without a
    failure, and its files are the new ones.

    Args:
        folder: The folder of the writer's files.
        prepare: Writes the old files. It runs before each attempt and is never disturbed.
        write: The writer.
        check: Further assertions after each failure; it is called before the writer runs again.
        error: Makes the error of the failing operation.
        lasting: Whether all operations after the failing one fail too.

    Returns:
        The operations of the run that succeeded.
    """
    prepare()
    old = read_files(folder)
    write()
    new = read_files(folder)
    for nth in range(1, MOST):
        prepare()
        disk = FailingDisk(nth, error, lasting)
        raised: BaseException | None = None
        with failing_disk(disk):
            try:
                write()
            except (OSError, MemoryError, KeyboardInterrupt) as failure:
                raised = failure
        if not disk.failed:
            assert raised is None, raised
            assert read_files(folder) == new
            return disk.operations
        files = read_files(folder)
        # Making a folder that exists may fail without an error.
        assert raised is not None or files == new, f"operation {nth} of {disk.operations} failed without an error"
        for name in {*old, *new, *files}:
            versions = [version.get(name) for version in (old, new)]
            assert files.get(name) in versions, f"operation {nth} of {disk.operations} damaged {name}"
        if not lasting and disk.operations[nth - 1] != "unlink":
            assert list_temporary_files(folder) == []
        check(disk)
        write()
        assert read_files(folder) == new
    raise AssertionError(f"the writer does not succeed within {MOST} operations")
