"""Entries of the outcomes folder that are not files, or have odd names: one pair fails, the run is readable."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from alignsec.run import outcome_file, status
from alignsec.run.event_log import EventLog
from alignsec.run.folder import RunFolder
from alignsec.run.outcome_file import DamagedOutcomeError
from submit import failures
from submit.condor import submission
from submit.monitor.run_status import RunMonitor
from tests import tiny
from tests.submit.plans import plan

PAIR = tiny.pair().id


def make_link(path: Path) -> None:
    """Make a link to a valid outcome elsewhere."""
    target = path.parent.parent / "target"
    outcome_file.write(target, tiny.record(tiny.pair()))
    path.symlink_to(target)


ENTRIES: dict[str, Callable[[Path], None]] = {
    "a directory": Path.mkdir,
    "a pipe": os.mkfifo,
    "a link": make_link,
}


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """A run without outcomes."""
    run = RunFolder(tmp_path)
    run.outcomes.mkdir()
    run.logs.mkdir()
    plan().write(run)
    return run


@pytest.mark.parametrize("kind", ENTRIES)
def test_an_entry_that_is_no_file_fails_its_pair_only(folder: RunFolder, kind: str):
    ENTRIES[kind](folder.outcome(PAIR))
    ENTRIES[kind](folder.logs / f"{PAIR}.err")
    (found,) = status.read_statuses(plan(), folder.outcomes)
    assert (found.id, found.state, found.reason) == (PAIR, "failed", f"the outcome file is {kind}, not a file")
    assert RunMonitor(folder).read().counts["failed"] == 1
    assert [pair.reason for pair in failures.find_failures(plan(), folder, EventLog(folder.events))] == [
        found.reason
    ]
    assert failures.read_log_tail(folder, PAIR) == []
    assert submission.find_finished_pairs(folder, plan()) == frozenset()
    with pytest.raises(DamagedOutcomeError, match=f"is {kind}, not a file"):
        outcome_file.read(folder.outcome(PAIR))


@pytest.mark.parametrize("target", ["nowhere", f"{PAIR}.json"])
def test_a_link_that_leads_nowhere_fails_its_pair(folder: RunFolder, target: str):
    folder.outcome(PAIR).symlink_to(target)
    assert status.read_pair_status(tiny.pair(), folder.outcome(PAIR)).state == "failed"
    assert RunMonitor(folder).read().counts["failed"] == 1


def test_a_file_that_cannot_be_read_fails_its_pair(folder: RunFolder, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    outcome_file.write(folder.outcome(PAIR), tiny.record(tiny.pair()))
    monkeypatch.setattr("alignsec.bounded.os.open", refuse)
    (found,) = status.read_statuses(plan(), folder.outcomes)
    assert (found.state, found.reason) == ("failed", "the outcome file cannot be read: Permission denied")


@pytest.mark.parametrize("name", [b"\xff\xfe.json", b"\x1b[31m.json", b"a\nb.json"])
def test_an_odd_name_is_escaped(folder: RunFolder, name: bytes):
    outcome_file.write(folder.outcome(PAIR), tiny.record(tiny.pair()))
    Path(os.fsdecode(os.fsencode(folder.outcomes) + b"/" + name)).write_bytes(b"x")
    found = {one.id: one.state for one in status.read_statuses(plan(), folder.outcomes)}
    assert found.pop(PAIR) == "ok"
    ((stale, state),) = found.items()
    assert state == "stale"
    assert stale.isprintable()
    stale.encode()
    assert failures.find_failures(plan(), folder, EventLog(folder.events)) == []
