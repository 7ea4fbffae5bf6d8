"""Waiting for a submitted run."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from alignsec import command
from alignsec.run import outcome_file
from alignsec.run.folder import RunFolder
from submit.monitor import waiting
from tests import event_text as text
from tests import tiny
from tests.submit.plans import plan


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """A run whose DAG is running."""
    run = RunFolder(tmp_path)
    run.outcomes.mkdir()
    plan().write(run)
    text.write(run.events, text.submitted(1, 0, tiny.pair().id), text.executing(1, 1))
    text.write(run.dagman_log, text.submitted(99, 0, ""), text.executing(99, 0))
    return run


def test_ctrl_c_stops_the_display_and_not_the_run(folder: RunFolder, monkeypatch: pytest.MonkeyPatch):
    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(waiting.time, "sleep", interrupt)
    console = Console(file=io.StringIO(), soft_wrap=True)
    assert waiting.wait_for_run(console, folder) == command.INTERRUPTED
    assert f"the run continues; to see its progress, run: make status RUN={folder.root}" in console.file.getvalue()


def test_the_exit_code_is_that_of_the_pairs_once_the_dag_has_ended(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
):
    """The DAG ends between two reads; then the pair is ok and the report exists."""
    (pair,) = plan()

    def end(seconds: float) -> None:
        outcome_file.write(folder.outcome(pair.id), tiny.record(pair))
        with folder.events.open("a") as events:
            events.write(text.terminated(1, 60, 0))
        with folder.dagman_log.open("a") as log:
            log.write(text.terminated(99, 61, 0))
        folder.analysis.mkdir()
        folder.report.write_text("")

    monkeypatch.setattr(waiting.time, "sleep", end)
    console = Console(file=io.StringIO(), soft_wrap=True)
    assert waiting.wait_for_run(console, folder) == command.SUCCESS
    assert "1 of 1 pairs are ok" in console.file.getvalue()
