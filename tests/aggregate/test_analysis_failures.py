"""Tests of an analysis whose inputs are damaged or whose parts fail."""

import csv
import dataclasses
import io
import random
import tarfile
from pathlib import Path

import pytest

from aggregate import analysis
from aggregate.figures import gallery
from aggregate.figures.drawing import Drawing
from aggregate.statistics import mcnemar
from alignsec.errors import ConfigErrors
from alignsec.run.event_log import EventLog
from tests.aggregate.complete_run import SCORES, analyse_run, read_contents, write_complete_run


def _read(path):
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))


def test_an_archive_in_any_order_gives_the_same_files_as_the_folder(make_run, tmp_path):
    run = write_complete_run(make_run, scores=SCORES)
    run.write_failure("a", "clean", "no such weights")
    analyse_run(run)
    paths = sorted(run.folder.outcomes.iterdir())
    random.Random(1).shuffle(paths)  # noqa: S311 # an order, not a secret
    archive = tmp_path / "outcomes.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for path in paths:
            tar.add(path, f"outcomes/{path.name}")
    analyse_run(run, archive, tmp_path / "from-archive")
    assert read_contents(tmp_path / "from-archive") == read_contents(run.folder.analysis)


@pytest.mark.parametrize("damage", ["between files", "within a header", "in a header"])
def test_a_damaged_archive_is_not_read_as_a_short_one(make_run, tmp_path, damage):
    """`tarfile` ends silently where the second header is cut off or damaged."""
    run = write_complete_run(make_run)
    archive = tmp_path / "outcomes.tar"
    with tarfile.open(archive, "w:") as tar:
        for path in sorted(run.folder.outcomes.iterdir()):
            tar.add(path, path.name)
        second = tar.getmembers()[1].offset
    data = archive.read_bytes()
    header = data[second : second + 512]
    after = {
        "between files": b"",
        "within a header": header[:100],
        "in a header": b"\xff" * 512 + data[second + 512 :],
    }
    archive.write_bytes(data[:second] + after[damage])
    with pytest.raises(ConfigErrors, match="neither a folder nor a complete tar archive"):
        analysis.analyse(run.folder, archive, EventLog(run.folder.events), run.folder.analysis)


@pytest.mark.parametrize("ending", ["tar", "tar.gz", "tar.xz"])
def test_a_truncated_archive_raises(make_run, tmp_path, ending):
    """Half an archive would turn finished pairs into missing ones, so nothing is overwritten."""
    run = write_complete_run(make_run)
    archive = tmp_path / f"outcomes.{ending}"
    with tarfile.open(archive, f"w:{ending.removeprefix('tar').lstrip('.')}") as tar:
        for path in run.folder.outcomes.iterdir():
            tar.add(path, path.name)
    archive.write_bytes(archive.read_bytes()[: archive.stat().st_size // 3])
    with pytest.raises(ConfigErrors, match="neither a folder nor a complete tar archive"):
        analyse_run(run, archive)
    assert not run.folder.analysis.exists()


def test_a_failed_write_keeps_the_old_analysis(make_run, monkeypatch):
    run = write_complete_run(make_run)
    analyse_run(run)
    before = read_contents(run.folder.analysis)

    def full(source, target):
        raise OSError(28, "No space left on device", str(target))

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        analyse_run(run)
    monkeypatch.undo()
    assert read_contents(run.folder.analysis) == before


def _raise(*_):
    raise ValueError("of this <test>")


def test_a_damaged_scores_file_costs_only_the_alignment(make_run):
    """All results without alignment are there, and the report says why the rest is not."""
    run = write_complete_run(make_run, scores=SCORES)
    run.folder.scores.write_bytes(b"PK\x03\x04" + run.folder.scores.read_bytes())
    done = analyse_run(run)
    assert (done.planned, done.not_ok) == (8, 0)
    assert len(_read(run.folder.analysis / "table.csv")) == 12
    assert _read(run.folder.analysis / "correlations.csv") == []
    (sentence,) = done.failed
    assert sentence.startswith("The analysis is without alignment scores: ")
    assert "was changed after submission" in sentence
    assert "was changed after submission" in done.report.read_text(encoding="utf-8")
    run.folder.scores.unlink()
    assert "cannot be read" in analyse_run(run).failed[0]


def test_scores_that_cannot_be_unpacked_are_a_caution(make_run):
    run = write_complete_run(make_run, scores="PK\x03\x04 is no zip")
    (sentence,) = analyse_run(run).failed
    assert "is a zip that cannot be unpacked" in sentence


def test_a_table_a_figure_and_latex_that_fail_become_sentences(make_run, monkeypatch):
    run = write_complete_run(make_run, scores=SCORES)
    whole = _read_names(analyse_run(run).report.parent)

    compare = mcnemar.compare_models

    def fail_with_rows(rows, bits):
        return _raise() if len(rows) else compare(rows, bits)

    monkeypatch.setattr(mcnemar, "compare_models", fail_with_rows)
    monkeypatch.setattr(analysis.paper_tables, "format_tables", _raise)
    kinds = [dataclasses.replace(kind, make_drawings=_raise) if kind.name == "coverage" else kind
             for kind in gallery.KINDS]  # fmt: skip
    monkeypatch.setattr(gallery, "KINDS", tuple(kinds))
    done = analyse_run(run)
    reason = "could not be computed: ValueError: of this <test>."
    coverage = next(kind.title for kind in kinds if kind.name == "coverage")
    assert done.failed == (
        f"The table comparisons {reason}", f"The figure “{coverage}” {reason}", f"The LaTeX tables {reason}",
    )  # fmt: skip
    page = done.report.read_text(encoding="utf-8")
    assert page.count("could not be computed: ValueError: of this &lt;test&gt;.") == 3
    left = _read_names(done.report.parent)
    assert whole - left >= {"figures/coverage.pdf", "figures/coverage.png"}
    assert {"table.csv", "correlations.csv", "figures/robustness-curves.pdf"} <= left


def test_a_figure_that_cannot_be_written_is_left_out(make_run, monkeypatch):
    run = write_complete_run(make_run)
    files, svg = Drawing.files, Drawing.svg
    monkeypatch.setattr(Drawing, "files", lambda self: _raise() if self.name == "coverage" else files(self))
    monkeypatch.setattr(
        Drawing, "svg", lambda self, *more: _raise() if self.name == "comparison" else svg(self, *more)
    )
    done = analyse_run(run)
    assert done.failed == ("The figure coverage could not be computed: ValueError: of this <test>.",)
    assert "This panel could not be drawn for the page." in done.report.read_text(encoding="utf-8")
    assert (run.folder.analysis / "figures/comparison.pdf").exists()


def test_another_kind_of_error_is_not_hidden(make_run, monkeypatch):
    """An error in the code, such as a wrong type, is not taken for unusual data."""
    run = write_complete_run(make_run)

    def mistake(*_):
        raise TypeError("a mistake")

    monkeypatch.setattr(analysis.paper_tables, "format_tables", mistake)
    with pytest.raises(TypeError, match="a mistake"):
        analyse_run(run)


def test_damaged_events_are_a_caution(make_run):
    run = write_complete_run(make_run)
    run.folder.events.write_bytes(b"000 (001.000.000) no event at all\n...\n")
    done = analyse_run(run)
    (sentence,) = done.failed
    assert "damaged event" in sentence
    assert "damaged event" in done.report.read_text(encoding="utf-8")


def _read_names(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
