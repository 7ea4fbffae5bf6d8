"""States of outcome files, each file read once."""

from pathlib import Path

import pytest

from alignsec.run import outcome_file
from alignsec.run.folder import RunFolder
from submit import outcome_states
from submit.outcome_states import OutcomeStates
from tests import tiny

PAIR, OTHER = tiny.pair(), tiny.pair(name="other")
CODE = tiny.PROVENANCE.code


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    made = RunFolder(tmp_path)
    made.outcomes.mkdir()
    monkeypatch.setattr(outcome_states, "_FEW_CHANGES", 0)
    return made


def count_reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list to which every reading of an outcome file is added."""
    read: list[str] = []
    before = outcome_states.status.read_state

    def note(file: outcome_file.OutcomeFile, code: str) -> object:
        read.append(file.name)
        return before(file, code)

    monkeypatch.setattr(outcome_states.status, "read_state", note)
    return read


def test_the_states_are_those_of_the_files(folder: RunFolder):
    outcome_file.write(folder.outcome(PAIR.id), tiny.record(PAIR))
    outcome_file.write(folder.outcome(OTHER.id), tiny.failure(OTHER, "ModelError: no good"))
    (folder.outcomes / ".half.json").touch()
    states = OutcomeStates(folder, CODE)
    assert states.find(PAIR.id) == ("ok", "")
    assert states.find(OTHER.id) == ("failed", "ModelError: no good")
    assert states.find("absent") == ("missing", "")


def test_a_damaged_record_is_not_ok(folder: RunFolder):
    path = folder.outcome(PAIR.id)
    data = outcome_file.dump(tiny.record(PAIR))
    for damaged in (data[:-1], data.replace(b'"RRcW"', b'"RRRW"'), data[:-100], b"", b"{}", data + b"\n"):
        path.write_bytes(damaged)
        assert OutcomeStates(folder, CODE).find(PAIR.id)[0] == "failed", damaged[-90:]
    path.write_bytes(data)
    assert OutcomeStates(folder, CODE).find(OTHER.id)[0] == "missing"
    path.rename(folder.outcome(OTHER.id))
    state, reason = OutcomeStates(folder, CODE).find(OTHER.id)
    assert (state, reason) == ("failed", f"the outcome file is that of another pair, {PAIR.id}")


def test_a_record_of_another_code_is_validated(folder: RunFolder):
    """A field that this version does not know makes the analysis refuse the file, so the pair must run again."""
    lines = outcome_file.dump(tiny.record(PAIR)).splitlines(keepends=True)[:-1]
    folder.outcome(PAIR.id).write_bytes(outcome_file.add_checksum(b"".join([*lines, b'"new": 1,\n'])))
    assert OutcomeStates(folder, "d" * 64).find(PAIR.id)[0] == "failed"


def test_a_file_is_read_again_only_after_a_change(folder: RunFolder, monkeypatch: pytest.MonkeyPatch):
    outcome_file.write(folder.outcome(PAIR.id), tiny.record(PAIR))
    read = count_reads(monkeypatch)
    states = OutcomeStates(folder, CODE)
    for _ in range(3):
        states.update()
        assert states.find(PAIR.id)[0] == "ok"
    assert read == [PAIR.id]
    outcome_file.write(folder.outcome(PAIR.id), tiny.failure(PAIR))
    states.update()
    assert states.find(PAIR.id)[0] == "failed"
    folder.outcome(PAIR.id).unlink()
    states.update()
    assert states.find(PAIR.id) == ("missing", "")


def test_another_command_uses_what_the_first_one_read(folder: RunFolder, monkeypatch: pytest.MonkeyPatch):
    """But not if the code is another one, and not for files that may still change within a tick of the clock."""
    monkeypatch.setattr(outcome_states, "SETTLED_NS", -(10**12))
    outcome_file.write(folder.outcome(PAIR.id), tiny.record(PAIR))
    states = OutcomeStates(folder, CODE)
    states.find(PAIR.id)
    states.save()
    read = count_reads(monkeypatch)
    assert OutcomeStates(folder, CODE).find(PAIR.id)[0] == "ok"
    assert read == []
    assert OutcomeStates(folder, "d" * 64).find(PAIR.id)[0] == "ok"
    assert read == [PAIR.id]
    monkeypatch.setattr(outcome_states, "SETTLED_NS", 10**12)
    states = OutcomeStates(folder, "d" * 64)
    states.find(PAIR.id)
    states.save()
    assert OutcomeStates(folder, "d" * 64).find(PAIR.id)[0] == "ok"
    assert read == [PAIR.id] * 3


def test_a_damaged_cache_is_rebuilt(folder: RunFolder, capsys: pytest.CaptureFixture[str]):
    outcome_file.write(folder.outcome(PAIR.id), tiny.record(PAIR))
    folder.outcome_states.write_text('{"schema_version": 1, "code": 3}')
    assert OutcomeStates(folder, CODE).find(PAIR.id)[0] == "ok"
    assert "is a damaged cache and is rebuilt" in capsys.readouterr().err
