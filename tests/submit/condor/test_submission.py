"""Submission: runs that are in use, and results of earlier submissions; the commands of HTCondor are fakes."""

import subprocess
from pathlib import Path

import pytest

from alignsec.errors import ConfigErrors
from alignsec.run.folder import RunFolder
from submit.condor import submission
from tests import event_text as text


class FakeQueue:
    """A queue that holds DAGMan job 99 of a run folder until it is removed."""

    def __init__(self, folder: Path, *, removable: bool = True) -> None:
        self.line, self.removable = f"99 {folder}\n", removable
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
