"""Submission: runs that are in use, and results of earlier submissions; the commands of HTCondor are fakes."""

import subprocess
from pathlib import Path

import pytest

from alignsec.errors import ConfigErrors
from alignsec.run import outcome_file
from alignsec.run.folder import RunFolder
from submit.condor import submission
from tests import event_text as text
from tests import tiny
from tests.submit.plans import plan


class FakeQueue:
    """A queue that holds DAGMan job 99 of a run folder until it is removed."""

    def __init__(self, folder: Path, *, removable: bool = True) -> None:
        self.line, self.removable = f"99 {folder} study.dag.dagman.log\n", removable
        self.removed: list[str] = []

    def __call__(self, command: list[str], **_: object) -> "subprocess.CompletedProcess[str]":
        """Answer condor_q and condor_rm."""
        if command[0] == "condor_rm":
            self.removed.append(command[1])
            self.line = "" if self.removable else self.line
        return subprocess.CompletedProcess(command, 0, self.line, "")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    """A run whose FINAL node has ended and whose DAGMan is still in the queue."""
    monkeypatch.setattr(submission.time, "sleep", lambda seconds: None)
    run = RunFolder(tmp_path)
    text.write(run.dagman_log, text.submitted(99, 0, ""), text.executing(99, 0))
    text.write(run.events, text.submitted(2, 61, "aggregate"), text.executing(2, 62), text.terminated(2, 63, 0))
    return run


def test_a_dagman_that_missed_the_end_of_final_is_removed(folder: RunFolder):
    queue = FakeQueue(folder.root)
    assert submission.find_running_dag(folder, queue) is None
    assert queue.removed == ["99"]


def test_a_dagman_that_cannot_be_removed_is_named(folder: RunFolder):
    with pytest.raises(ConfigErrors, match="to remove it, run: condor_rm 99"):
        submission.find_running_dag(folder, FakeQueue(folder.root, removable=False))


def test_while_final_runs_dagman_is_kept(folder: RunFolder):
    text.write(folder.events, text.submitted(2, 61, "aggregate"), text.executing(2, 62))
    queue = FakeQueue(folder.root)
    assert submission.find_running_dag(folder, queue) == 99
    assert queue.removed == []


def answer(text: str, code: int = 0) -> submission.CondorCommand:
    """Return a condor_q with this answer."""
    return lambda *_, **__: subprocess.CompletedProcess([], code, text, "")


@pytest.fixture
def running(folder: RunFolder) -> RunFolder:
    """A run whose DAGMan works, as far as its event log shows."""
    folder.events.unlink()
    return folder


def test_a_dag_that_was_submitted_from_another_folder_is_found(running: RunFolder):
    """After condor_submit_dag -usedagdir, DAGMan's folder is the one in which the command was typed."""
    relative = f"99 {running.root.parent} {running.root.name}/study.dag.dagman.log\n"
    assert submission.find_running_dag(running, answer(relative)) == 99
    assert submission.find_running_dag(running, answer(f"99 /other folder {running.dagman_log}\n")) == 99
    assert submission.find_running_dag(running, answer("99 /other study.dag.dagman.log\n")) is None


def test_a_dag_of_another_access_point_is_found_by_its_lock(running: RunFolder):
    running.dagman_lock.write_text("1 2 3")
    assert submission.find_running_dag(running, answer("")) == 99


@pytest.mark.parametrize(("process", "found"), [(b"condor_dagman\0-f", 99), (b"another program", None)])
def test_a_lock_of_this_machine_counts_while_its_process_lives(
    running: RunFolder, monkeypatch: pytest.MonkeyPatch, process: bytes, found: int | None
):
    monkeypatch.setattr(submission.socket, "gethostname", lambda: "here")
    log = running.dagman_log.read_text().replace("?addrs", "?alias=here&addrs")
    running.dagman_log.write_text(log)
    running.dagman_lock.write_text("7 4242 1.0")
    monkeypatch.setattr(submission, "_read_command", lambda number: process if number == 4242 else b"")
    assert submission.find_running_dag(running, answer("")) == found


def test_the_command_to_submit_works_when_it_is_pasted(tmp_path: Path):
    run = RunFolder(tmp_path / "it's a run; $HOME")
    run.root.mkdir()
    fake = tmp_path / "bin" / "condor_submit_dag"
    fake.parent.mkdir()
    fake.write_text('#!/bin/sh\npwd; echo "$@"\n')
    fake.chmod(0o755)
    done = subprocess.run(
        ["/bin/sh", "-c", submission.submit_command(run)],
        env={"PATH": f"{fake.parent}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [str(run.root), "study.dag"]


def test_results_of_an_earlier_submission_are_moved_aside(tmp_path: Path):
    run, pair = RunFolder(tmp_path), tiny.pair()
    for path in (run.outcomes, run.logs, run.analysis):
        path.mkdir()
    outcome_file.write(run.outcome(pair.id), tiny.failure(pair, "ModelError: old"))
    run.report.write_text("old")
    run.error_output(pair.id).write_text("old")
    for number in (1, 2):
        submission.put_results_aside(run, plan(), frozenset())
        assert (run.submissions / "1" / "analysis" / "report.html").read_text() == "old"
        assert (run.submissions / "1" / "outcomes" / f"{pair.id}.json").exists()
        assert not run.outcome(pair.id).exists()
        assert not run.report.exists()
        assert len(list(run.submissions.iterdir())) == 1, number


def test_finished_outcomes_stay(tmp_path: Path):
    run, pair = RunFolder(tmp_path), tiny.pair()
    run.outcomes.mkdir()
    outcome_file.write(run.outcome(pair.id), tiny.record(pair))
    submission.put_results_aside(run, plan(), submission.find_finished_pairs(run, plan()))
    assert run.outcome(pair.id).exists()
