"""Measurements of large runs: the synthetic inputs are valid, and the page shows every row."""

import sys
from pathlib import Path

import pytest

from alignsec.run.event_log import EventLog
from benchmarks.scale import __main__ as scale
from benchmarks.scale import page, synthetic_log, synthetic_study
from benchmarks.scale.measurement import ScaleRow, measure_command
from submit import validation


def test_a_synthetic_study_is_valid(tmp_path: Path):
    study = synthetic_study.write_study(tmp_path / "study", 3, 2)
    found = validation.validate(study, tmp_path / "hub")
    assert (len(found.study.models), len(found.study.attacks)) == (3, 2)
    assert len({weights.sha256 for weights in found.weights.values()}) == 3


def test_a_synthetic_log_has_the_nodes(tmp_path: Path):
    synthetic_log.write_log(tmp_path / "log", (f"n{number}" for number in range(5)), failed=2)
    found = EventLog(tmp_path / "log")
    assert found.warning == ""
    assert [history.exit_code for history in found.nodes.values()] == [65, 65, 0, 0, 0]
    assert {history.memory_mb for history in found.nodes.values()} == {663}


def test_the_usage_of_a_command_is_its_own():
    """The memory is that of the command, not of the process that measures."""
    used = measure_command(["-c", "data = bytearray(150_000_000); sum(range(3_000_000))"])
    assert 150 < used.peak_mb < 250
    assert used.seconds > 0
    with pytest.raises(Exception, match="non-zero exit status 3"):
        measure_command(["-c", "import sys; sys.exit(3)"])


def test_the_page_shows_every_row_and_the_target_of_the_largest_size(tmp_path: Path):
    def row(pairs: int) -> ScaleRow:
        return ScaleRow(
            part="status", case="make status, again", pairs=pairs, seconds=1.23, peak_mb=456, machine="m", load=0.5
        )

    page.write_page([row(100_000), row(10_000)], tmp_path / "page.md")
    lines = (tmp_path / "page.md").read_text().splitlines()
    assert "| make status, again | 10,000 | 1.2 | 456 |  | 0.5 |" in lines
    assert "| make status, again | 100,000 | 1.2 | 456 | 2 | 0.5 |" in lines


def test_a_part_replaces_only_its_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(scale, "RESULTS", tmp_path / "scale.json")
    monkeypatch.setattr(scale, "PAGE", tmp_path / "page.md")
    for part in ("plan", "status"):
        monkeypatch.setattr(sys, "argv", ["scale", "--part", part, "--pairs", "100"])
        assert scale.main() == 0
    page_text = (tmp_path / "page.md").read_text()
    for case in (
        "make submit DRY=1, a new run",
        "make submit DRY=1, again",
        "make status, again",
        "make failures",
    ):
        assert f"| {case} | 100 |" in page_text
