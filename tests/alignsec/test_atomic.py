"""Atomic writes."""

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from alignsec import atomic

FULL_DISK = """
import errno, sys
from pathlib import Path
from alignsec import atomic

disk = Path(sys.argv[1])
atomic.write_atomic(disk / "f", b"old")
try:
    atomic.write_atomic(disk / "f", bytes(1_000_000))
except OSError as error:
    assert error.errno == errno.ENOSPC, error
else:
    raise SystemExit("a megabyte was written to a disk of 64 kB")
assert (disk / "f").read_bytes() == b"old"
assert [path.name for path in disk.iterdir()] == ["f"]
"""


def test_a_written_file_is_readable_by_everybody(tmp_path: Path):
    atomic.write_atomic(tmp_path / "f", b"data")
    assert (tmp_path / "f").read_bytes() == b"data"
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o644


def test_no_temporary_file_is_left(tmp_path: Path):
    for data in (b"one", b"two"):
        atomic.write_atomic(tmp_path / "f", data)
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_a_reader_never_sees_a_partial_file(tmp_path: Path):
    """While another thread writes, every read returns one of the contents completely."""
    path = tmp_path / "f"
    contents = [bytes([n]) * 200_000 for n in range(4)]
    atomic.write_atomic(path, contents[0])
    done = threading.Event()

    def write() -> None:
        for n in range(60):
            atomic.write_atomic(path, contents[n % 4])
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen = set()
    while not done.is_set():
        data = path.read_bytes()
        assert data in contents
        seen.add(data[0])
    writer.join()
    assert len(seen) > 1, "the reader saw only one content, so the test shows nothing"


def test_an_interrupt_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Ctrl-C between writing and renaming."""
    atomic.write_atomic(tmp_path / "f", b"old")

    def interrupt(handle: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        atomic.write_atomic(tmp_path / "f", b"new")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("f", b"old")]


def test_a_missing_folder_is_an_error(tmp_path: Path):
    with pytest.raises(FileNotFoundError):
        atomic.write_atomic(tmp_path / "nowhere" / "f", b"data")


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, small_disk: list[str], checkout: Path):
    """On a file system of 64 kB the old content stays and no partial file is left."""
    command = [*small_disk, str(tmp_path), sys.executable, "-c", FULL_DISK, str(tmp_path)]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
