"""What finished pairs took, gathered from the outcomes of every run."""

from pathlib import Path

import pytest

from alignsec.run import outcome_file
from submit.requests import measurements
from tests import tiny


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Two runs: two records, a failure and a damaged outcome."""
    for run, name in (("one", "a"), ("two", "b")):
        pair = tiny.pair(name=name)
        folder = tmp_path / run / "outcomes"
        folder.mkdir(parents=True)
        outcome_file.write(folder / f"{pair.id}.json", tiny.record(pair))
    outcome_file.write(tmp_path / "one" / "outcomes" / "f.json", tiny.failure(tiny.pair(name="f")))
    (tmp_path / "two" / "outcomes" / "d.json").write_bytes(b"{")
    return tmp_path


def test_records_of_all_runs_tell_and_nothing_else(runs: Path):
    found = measurements.gather(runs)
    assert len(found) == 2
    passes = found.passes_per_image(tiny.attack(name="of another name"))
    assert passes == pytest.approx(((4 + 2 * 40) / 4, 2 * 30 / 4))
    assert found.passes_per_image(tiny.attack(steps=4)) is None


def test_each_outcome_is_read_once(runs: Path, monkeypatch: pytest.MonkeyPatch):
    measurements.gather(runs)
    read: list[Path] = []
    sha256_of_file = outcome_file.read
    monkeypatch.setattr(
        measurements.outcome_file, "read", lambda path: (read.append(path), sha256_of_file(path))[1]
    )
    assert len(measurements.gather(runs)) == 2
    assert read == []
    pair = tiny.pair(name="c")
    outcome_file.write(runs / "two" / "outcomes" / "d.json", tiny.record(pair))
    assert len(measurements.gather(runs)) == 3
    assert [path.name for path in read] == ["d.json"]


@pytest.mark.parametrize("damage", [b"", b"[]", b'{"schema_version": 1, "files": {"a": [1]}}'])
def test_a_damaged_memory_is_made_anew(runs: Path, damage: bytes):
    (runs / measurements.NAME).write_bytes(damage)
    assert len(measurements.gather(runs)) == 2


def test_the_newest_tell(runs: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(measurements, "NEWEST", 1)
    assert len(measurements.gather(runs)) <= 1


def test_no_runs_yet(tmp_path: Path):
    assert len(measurements.gather(tmp_path / "nowhere")) == 0
