"""Checkpoints: a file is complete or ignored, and is replaced only by a complete one."""

from pathlib import Path

import pytest

from alignsec import atomic
from alignsec.evaluation.evaluation import Evaluation
from alignsec.spec.verdicts import Passes
from jobs.checkpoint import Checkpoint, CheckpointSaved
from jobs.provenance import Clock

STATE = bytes(range(256)) + b"\n\n"


def evaluation(done: int) -> Evaluation:
    known = Evaluation(
        classes=5, clean_passes=Passes(forward=2), budgets=(), steps_done=done, steps=9, undecided=1, passes_left=3
    )
    return known.with_lazy_state(lambda: STATE)


def write_checkpoint(path: Path, done: int = 2) -> Checkpoint:
    """Write a checkpoint at the second evaluation of a run; return the checkpoint of the next run."""
    first = Checkpoint(path, Clock(), every=0)
    first.save_if_due("a", evaluation(0))
    with pytest.raises(CheckpointSaved):
        first.save_if_due("a", evaluation(done))
    return Checkpoint(path, Clock(), every=0)


def test_state_is_restored(tmp_path: Path):
    found = write_checkpoint(tmp_path / "c").read("a")
    assert found is not None
    assert found.state_bytes == found.state == STATE
    assert found.model_dump(exclude={"state"}) == evaluation(2).model_dump(exclude={"state"})


def test_state_is_stored_as_bytes(tmp_path: Path):
    write_checkpoint(tmp_path / "c")
    assert (tmp_path / "c").read_bytes().endswith(b"}\n" + STATE)


def test_state_is_made_once(tmp_path: Path):
    """Making a state can take seconds."""
    made = []
    checkpoint = Checkpoint(tmp_path / "c", Clock(), every=0, evaluations=1)
    with pytest.raises(CheckpointSaved):
        checkpoint.save_if_due("a", evaluation(1).with_lazy_state(lambda: made.append(1) or STATE))
    assert made == [1]


def test_missing_file_and_file_of_another_pair_are_ignored(tmp_path: Path):
    assert write_checkpoint(tmp_path / "c").read("b") is None
    assert Checkpoint(tmp_path / "absent", Clock(), every=None).read("a") is None


def test_truncated_file_is_ignored(tmp_path: Path):
    checkpoint = write_checkpoint(tmp_path / "c")
    whole = (tmp_path / "c").read_bytes()
    for length in range(0, len(whole), 7):
        (tmp_path / "c").write_bytes(whole[:length])
        assert checkpoint.read("a") is None


def test_crash_while_writing_keeps_earlier_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_checkpoint(tmp_path / "c", done=2)
    monkeypatch.setattr(atomic.os, "fsync", lambda handle: 1 / 0)
    checkpoint = Checkpoint(tmp_path / "c", Clock(), every=0, evaluations=1)
    with pytest.raises(ZeroDivisionError):
        checkpoint.save_if_due("a", evaluation(5))
    found = checkpoint.read("a")
    assert found is not None
    assert found.steps_done == 2
