"""Measurements of finished pairs, read from the outcomes of all runs."""

import os
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


def test_records_of_all_runs_are_measured(runs: Path):
    found = measurements.read_measurements(runs)
    assert len(found) == 2
    passes = found.passes_per_image(tiny.attack(name="of another name"))
    assert passes == pytest.approx(((4 + 2 * 40) / 4, 2 * 30 / 4))
    assert found.passes_per_image(tiny.attack(steps=4)) is None


def test_each_outcome_is_read_once(runs: Path, monkeypatch: pytest.MonkeyPatch):
    measurements.read_measurements(runs)
    read: list[Path] = []
    read_outcome = outcome_file.read
    monkeypatch.setattr(measurements.outcome_file, "read", lambda path: (read.append(path), read_outcome(path))[1])
    assert len(measurements.read_measurements(runs)) == 2
    assert read == []
    pair = tiny.pair(name="c")
    outcome_file.write(runs / "two" / "outcomes" / "d.json", tiny.record(pair))
    assert len(measurements.read_measurements(runs)) == 3
    assert [path.name for path in read] == ["d.json"]


@pytest.mark.parametrize("damage", [b"", b"[]", b'{"schema_version": 1, "files": {"a": [1]}}'])
def test_a_damaged_file_of_measurements_is_replaced(runs: Path, damage: bytes):
    (runs / measurements.MEASUREMENTS_FILE).write_bytes(damage)
    assert len(measurements.read_measurements(runs)) == 2


def test_only_the_newest_outcomes_are_read(runs: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(measurements, "NEWEST", 1)
    assert len(measurements.read_measurements(runs)) <= 1


def test_entries_that_are_no_files_and_odd_names_are_skipped(runs: Path):
    """A pipe once made every later submission wait; a link that leads nowhere ended it."""
    folder = runs / "two" / "outcomes"
    os.mkfifo(folder / "pipe.json")
    (folder / "link.json").symlink_to("nowhere")
    (folder / "folder.json").mkdir()
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff.json")).write_bytes(b"{")
    assert len(measurements.read_measurements(runs)) == 2
    kept = (runs / measurements.MEASUREMENTS_FILE).read_text(encoding="utf-8")
    assert not any(name in kept for name in ("pipe", "link", "folder", "\\udcff"))


def test_a_missing_folder_has_no_measurements(tmp_path: Path):
    assert len(measurements.read_measurements(tmp_path / "nowhere")) == 0
