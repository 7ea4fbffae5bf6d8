"""Atomic writes."""

import errno
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
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


@pytest.fixture
def set_umask() -> Iterator[Callable[[int], int]]:
    """Return os.umask; the umask is restored after the test."""
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


@pytest.mark.parametrize(
    ("umask", "mode"), [(0o022, 0o644), (0o002, 0o664), (0o077, 0o600), (0o027, 0o640), (0o000, 0o666)]
)
@pytest.mark.parametrize("exists", [False, True])
def test_the_umask_decides_who_can_read_a_file(
    tmp_path: Path, set_umask: Callable[[int], int], umask: int, mode: int, exists: bool
):
    if exists:
        atomic.write_atomic(tmp_path / "f", b"old")
    set_umask(umask)
    atomic.write_atomic(tmp_path / "f", b"data")
    assert (tmp_path / "f").read_bytes() == b"data"
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == mode


def record_syncs(monkeypatch: pytest.MonkeyPatch, folder_error: int = 0) -> list[str]:
    """Record each fsync of a file or a folder and each renaming; an fsync of a folder may fail."""
    seen = []
    replace = os.replace

    def sync(handle: int) -> None:
        is_folder = stat.S_ISDIR(os.fstat(handle).st_mode)
        seen.append("sync folder" if is_folder else "sync file")
        if is_folder and folder_error:
            raise OSError(folder_error, os.strerror(folder_error))

    def rename(source: Path, target: Path) -> None:
        seen.append("rename")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(os, "replace", rename)
    return seen


def test_the_folder_is_forced_to_disk_after_the_renaming(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Otherwise a crash of the machine can undo the renaming."""
    seen = record_syncs(monkeypatch)
    atomic.write_atomic(tmp_path / "f", b"data")
    assert seen == ["sync file", "rename", "sync folder"]


def test_a_file_that_can_be_written_again_is_only_renamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Forcing 100,000 pair files to disk takes minutes."""
    seen = record_syncs(monkeypatch)
    atomic.write_atomic(tmp_path / "f", b"data", durable=False)
    assert seen == ["rename"]
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"data"]


@pytest.mark.parametrize("error", [errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EBADF])
def test_a_file_system_without_fsync_of_folders_is_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int
):
    seen = record_syncs(monkeypatch, error)
    atomic.write_atomic(tmp_path / "f", b"data")
    assert seen[-1] == "sync folder"
    assert (tmp_path / "f").read_bytes() == b"data"


@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC, errno.EDQUOT])
def test_a_folder_that_cannot_be_forced_to_disk_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int
):
    record_syncs(monkeypatch, error)
    with pytest.raises(OSError, match=os.strerror(error)):
        atomic.write_atomic(tmp_path / "f", b"data")
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


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
