"""The digest cache: changed bytes are always read again, unchanged bytes never."""

import os
import time
from pathlib import Path

import pytest

from alignsec import digest
from submit import digest_cache
from submit.digest_cache import DigestCache


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that is old enough for its digest to be cached."""
    path = tmp_path / "w.bin"
    path.write_bytes(b"old")
    monkeypatch.setattr(digest_cache, "SETTLED_NS", -1)
    return path


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files whose bytes were read."""
    paths: list[Path] = []
    sha256_of_file = digest.sha256_of_file

    def reading(path: Path) -> str:
        paths.append(path)
        return sha256_of_file(path)

    monkeypatch.setattr("submit.digest_cache.digest.sha256_of_file", reading)
    return paths


def cache(tmp_path: Path) -> DigestCache:
    return DigestCache(tmp_path / "runs" / ".digests.json")


def test_the_next_submission_reads_nothing(tmp_path: Path, file: Path, read: list[Path]):
    first = cache(tmp_path)
    assert first.sha256_of_file(file) == digest.sha256_of_bytes(b"old")
    first.save()
    assert cache(tmp_path).sha256_of_file(file) == digest.sha256_of_bytes(b"old")
    assert len(read) == 1


def test_a_link_has_the_entry_of_its_target(tmp_path: Path, file: Path, read: list[Path]):
    (tmp_path / "link").symlink_to(file)
    own = cache(tmp_path)
    assert own.sha256_of_file(file) == own.sha256_of_file(tmp_path / "link")
    assert len(read) == 1


@pytest.mark.parametrize("change", ["longer", "same length, time set back", "another file in its place"])
def test_changed_bytes_are_read_again(tmp_path: Path, file: Path, change: str):
    """Also after the modification time was set back, as copying tools do."""
    first = cache(tmp_path)
    first.sha256_of_file(file)
    first.save()
    before = file.stat()
    if change == "another file in its place":
        (tmp_path / "new").write_bytes(b"new")
        (tmp_path / "new").replace(file)
    else:
        time.sleep(0.02)  # more than a tick of the file system's clock
        file.write_bytes(b"longer" if change == "longer" else b"new")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert cache(tmp_path).sha256_of_file(file) == digest.sha256_of_file(file)


def test_the_digest_of_a_file_just_written_is_not_cached(tmp_path: Path, read: list[Path]):
    """The file may change again before the file system's clock ticks."""
    path = tmp_path / "w.bin"
    path.write_bytes(b"x")
    own = cache(tmp_path)
    own.sha256_of_file(path)
    own.sha256_of_file(path)
    assert len(read) == 2


DAMAGED = [
    b"",
    b"[]",
    b"\xff\xfe",
    b"[" * 100_000,
    b'{"schema_version": 1}',
    b'{"schema_version": 1, "files": []}',
    b'{"schema_version": 1, "files": {"%s": [[1, 2, 3], "%s"]}}',
    b'{"schema_version": 1, "files": {"%s": [[1, 2, 3, 4], "abc"]}}',
    b'{"schema_version": 1, "files": {"%s": [[1, 2, 3, ' + b"9" * 5000 + b'], "abc"]}}',
]


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_cache_is_rebuilt_with_a_warning(
    tmp_path: Path, file: Path, damage: bytes, capsys: pytest.CaptureFixture[str]
):
    path = tmp_path / "runs" / ".digests.json"
    path.parent.mkdir()
    path.write_bytes(damage)
    own = cache(tmp_path)
    assert own.sha256_of_file(file) == digest.sha256_of_bytes(b"old")
    own.save()
    assert capsys.readouterr().err.startswith(f"warning: {path}: is a damaged cache and is rebuilt (")
    cache(tmp_path)
    assert capsys.readouterr().err == ""


def test_a_digest_that_is_none_is_not_used(tmp_path: Path, file: Path, read: list[Path]):
    """A cache whose digests were cut would otherwise name files wrongly."""
    own = cache(tmp_path)
    own.sha256_of_file(file)
    own.save()
    path = tmp_path / "runs" / ".digests.json"
    path.write_text(path.read_text().replace(digest.sha256_of_bytes(b"old"), digest.sha256_of_bytes(b"old")[:40]))
    assert cache(tmp_path).sha256_of_file(file) == digest.sha256_of_bytes(b"old")
    assert len(read) == 2


def test_a_cache_of_another_version_is_ignored_without_a_warning(
    tmp_path: Path, file: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / ".digests.json").write_bytes(b'{"schema_version": 2, "files": {}}')
    assert cache(tmp_path).sha256_of_file(file) == digest.sha256_of_bytes(b"old")
    assert capsys.readouterr().err == ""


def test_entries_of_deleted_files_are_removed(tmp_path: Path, file: Path):
    own = cache(tmp_path)
    own.sha256_of_file(file)
    file.unlink()
    own.save()
    assert "w.bin" not in (tmp_path / "runs" / ".digests.json").read_text()
