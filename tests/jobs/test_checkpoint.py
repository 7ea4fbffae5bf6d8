"""Checkpoints: one file that is whole or none, and the earlier one kept until the next is whole."""

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


def left(path: Path, done: int = 2) -> Checkpoint:
    """A checkpoint written at the second offer of a start, and read by the next."""
    first = Checkpoint(path, Clock(), every=0)
    first.offer("a", evaluation(0))
    with pytest.raises(CheckpointSaved):
        first.offer("a", evaluation(done))
    return Checkpoint(path, Clock(), every=0)


def test_the_state_comes_back_byte_for_byte(tmp_path: Path):
    found = left(tmp_path / "c").read("a")
    assert found is not None
    assert found.state_bytes == found.state == STATE
    assert found.model_dump(exclude={"state"}) == evaluation(2).model_dump(exclude={"state"})


def test_the_state_is_stored_as_it_is(tmp_path: Path):
    left(tmp_path / "c")
    assert (tmp_path / "c").read_bytes().endswith(b"}\n" + STATE)


def test_it_is_frozen_once(tmp_path: Path):
    """A state may take seconds to make."""
    made = []
    checkpoint = Checkpoint(tmp_path / "c", Clock(), every=0, offers=1)
    with pytest.raises(CheckpointSaved):
        checkpoint.offer("a", evaluation(1).with_lazy_state(lambda: made.append(1) or STATE))
    assert made == [1]


def test_another_pair_s_or_none_is_not_read(tmp_path: Path):
    assert left(tmp_path / "c").read("b") is None
    assert Checkpoint(tmp_path / "absent", Clock(), every=None).read("a") is None


def test_cut_short_anywhere_it_is_not_read(tmp_path: Path):
    checkpoint = left(tmp_path / "c")
    whole = (tmp_path / "c").read_bytes()
    for length in range(0, len(whole), 7):
        (tmp_path / "c").write_bytes(whole[:length])
        assert checkpoint.read("a") is None


def test_a_crash_while_writing_keeps_the_earlier_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    left(tmp_path / "c", done=2)
    monkeypatch.setattr(atomic.os, "fsync", lambda handle: 1 / 0)
    checkpoint = Checkpoint(tmp_path / "c", Clock(), every=0, offers=1)
    with pytest.raises(ZeroDivisionError):
        checkpoint.offer("a", evaluation(5))
    found = checkpoint.read("a")
    assert found is not None
    assert found.steps_done == 2
