"""The FINAL node in status, failures and wait: its state, its end, and reports of earlier submissions."""

import io
import os
from pathlib import Path

import pytest
from rich.console import Console

from alignsec import command
from alignsec.run import event_log, outcome_file
from alignsec.run.event_log import EventLog, LastJob
from alignsec.run.folder import RunFolder
from submit import failures, status
from submit.monitor import waiting
from submit.monitor.run_status import RunMonitor
from tests import event_text as text
from tests import tiny
from tests.submit.monitor import dagman_text
from tests.submit.plans import plan

PAIR = tiny.pair().id
PAIR_DONE = (text.submitted(1, 0, PAIR), text.executing(1, 1), text.terminated(1, 60, 0))
FINAL_RUNS = (text.submitted(2, 61, "aggregate"), text.executing(2, 62))


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """A run whose pair is ok and whose DAGMan is in the queue."""
    run = RunFolder(tmp_path)
    for path in (run.outcomes, run.logs):
        path.mkdir()
    plan().write(run)
    outcome_file.write(run.outcome(PAIR), tiny.record(tiny.pair()))
    text.write(run.events, *PAIR_DONE, *FINAL_RUNS)
    text.write(run.dagman_log, text.submitted(99, 0, ""), text.executing(99, 0))
    return run


def shown(run: RunFolder) -> str:
    """Return the status as it is printed."""
    console = Console(file=io.StringIO(), width=300)
    console.print(status.render(RunMonitor(run).read()))
    return console.file.getvalue()


def write_report(run: RunFolder, when: float | None = None) -> None:
    """Write a report, by default of now."""
    run.analysis.mkdir()
    run.report.write_text("report")
    if when is not None:
        os.utime(run.report, (when, when))


def test_while_final_runs_the_dag_runs(folder: RunFolder):
    now = RunMonitor(folder).read()
    assert (now.dag, now.final) == ("running as job 99", "running on slot1_1@node")


CUT = "005 (001.000.000) 2026-01-01 12:0"


@pytest.mark.parametrize(
    ("events", "stuck"),
    [
        ((*PAIR_DONE[:2], CUT, PAIR_DONE[2]), True),
        ((*PAIR_DONE[:2], "\0" * 100, PAIR_DONE[2]), True),
        (PAIR_DONE, False),
        ((*PAIR_DONE[:2], CUT, text.evicted(1, 60)), False),
    ],
    ids=["end missed", "NUL bytes", "undamaged", "in the queue"],
)
def test_dagman_that_missed_the_end_of_a_job_is_reported_and_not_waited_for(
    folder: RunFolder, events: tuple[str, ...], stuck: bool
):
    """A full disk leaves a cut event or NUL bytes. DAGMan skips the event after them and waits without end."""
    text.write(folder.events, *events)
    now = RunMonitor(folder).read()
    assert now.stuck == stuck
    assert any("condor_rm 99, and submit the study again" in note for note in now.notes) == stuck
    if stuck:
        console = Console(file=io.StringIO(), width=500)
        assert waiting.wait_for_run(console, folder) == command.INCOMPLETE
        assert "condor_rm 99" in console.file.getvalue()


def test_if_dagman_ends_while_the_status_is_read_final_has_ended_too(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
):
    """The read of a damaged log takes a second, in which FINAL and DAGMan may end."""
    find_last_job = event_log.find_last_job

    def end_meanwhile(path: Path) -> LastJob | None:
        with folder.events.open("a") as events:
            events.write(text.terminated(2, 70, 0))
        with path.open("a") as log:
            log.write(text.terminated(99, 71, 0))
        return find_last_job(path)

    write_report(folder)
    monkeypatch.setattr(event_log, "find_last_job", end_meanwhile)
    now = RunMonitor(folder).read()
    assert (now.dag, now.final) == ("ended", "done")


@pytest.mark.parametrize(
    ("end", "state"),
    [
        (text.terminated(2, 70, 0), "ended with exit code 0 but left no report"),
        (text.terminated(2, 70, 1), "ended with exit code 1 but left no report"),
        (text.aborted(2, 70, "via condor_rm"), "removed (via condor_rm)"),
    ],
)
def test_the_end_of_final_is_the_end_of_the_run(folder: RunFolder, end: str, state: str):
    """DAGMan may never end: it restarted while FINAL was queued, held or running."""
    text.write(folder.events, *PAIR_DONE, *FINAL_RUNS, end)
    now = RunMonitor(folder).read()
    assert now.dag == "ended"
    assert state in now.final
    assert "to remove it, run: condor_rm 99" in shown(folder)
    assert state in str(failures.find_analysis_failure(folder, EventLog(folder.events)))


def test_wait_ends_with_final_and_says_what_to_type(folder: RunFolder):
    text.write(folder.events, *PAIR_DONE, *FINAL_RUNS, text.terminated(2, 70, 0))
    write_report(folder)
    console = Console(file=io.StringIO(), soft_wrap=True)
    assert waiting.wait_for_run(console, folder) == command.SUCCESS
    assert "condor_rm 99" in console.file.getvalue()
    assert failures.find_analysis_failure(folder, EventLog(folder.events)) == ""


def test_a_held_final_is_shown_with_its_reason(folder: RunFolder):
    text.write(folder.events, *PAIR_DONE, *FINAL_RUNS, text.held(2, 63, 13, "Transfer input files failure"))
    assert "Analysis: held (Transfer input files failure)" in shown(folder)
    assert failures.find_analysis_failure(folder, EventLog(folder.events)) == "held (Transfer input files failure)"


def test_a_report_of_an_earlier_submission_is_not_this_ones(folder: RunFolder):
    text.write(folder.events, *PAIR_DONE, *FINAL_RUNS, text.aborted(2, 70, "via condor_rm"))
    write_report(folder, when=1_000_000_000)
    console = Console(file=io.StringIO(), soft_wrap=True)
    assert waiting.wait_for_run(console, folder) == command.INCOMPLETE
    printed = console.file.getvalue()
    assert "is of an earlier submission" in printed
    assert "The report is at" not in printed
    assert "the analysis is missing: removed (via condor_rm)" in printed


def test_refused_jobs_are_failures_with_dagmans_reason(folder: RunFolder):
    folder.outcome(PAIR).unlink()
    folder.events.write_text("")
    with folder.dagman_log.open("a") as log:
        log.write(text.terminated(99, 80, 1))
    refused = dagman_text.refused(PAIR, dagman_text.PROJECT, 6)
    folder.dagman_output.write_text(refused + dagman_text.refused("aggregate", dagman_text.PROJECT, 6))
    now = RunMonitor(folder).read()
    assert (now.counts["failed"], now.counts["waiting"]) == (1, 0)
    assert shown(folder).count("You must set +ProjectName") == 2
    (failed,) = failures.find_failures(plan(), folder, EventLog(folder.events))
    assert "You must set +ProjectName to submit jobs here" in failed.reason
    console = Console(file=io.StringIO(), soft_wrap=True)
    assert waiting.wait_for_run(console, folder) == command.INCOMPLETE
    assert "the analysis is missing: HTCondor refused its job: You must set" in console.file.getvalue()


def test_a_failure_of_an_earlier_submission_is_not_this_ones(folder: RunFolder):
    outcome_file.write(folder.outcome(PAIR), tiny.failure(tiny.pair(), "ModelError: old"))
    os.utime(folder.outcome(PAIR), (1_000_000_000, 1_000_000_000))
    folder.events.write_text("")
    (pair,) = RunMonitor(folder).read().pairs
    assert (pair.state, pair.reason) == ("waiting", "")
