"""Tests of the tally of a run's outcomes."""

import tarfile

import numpy as np
import pytest

from aggregate.collect import reading, tally
from alignsec.errors import ConfigErrors
from alignsec.run.event_log import EventLog


def _read_tally(run):
    return tally.read_tally(run.plan, run.folder.outcomes, EventLog(run.folder.events))


def test_robust_images_are_packed_bits(make_run):
    """One entry per row in the order of the rows, for files in any order; failed and stale pairs have no entry."""
    run = make_run(models=["b", "a", "c"])
    run.write_record("a", "autoattack-Linf", "RRRRRRctWW", "RRcctfsfWW")
    run.write_record("a", "clean", "RRRRRRRRWW")
    run.write_record("b", "autoattack-Linf", "WRRRRRRRRR", "WccccccccR")
    run.write_failure("c", "clean", "no such weights")
    run.write_outcome(run.make_record(run.pair_with_other_seed("c", "autoattack-Linf"), "R" * 10, "R" * 10))
    found = _read_tally(run)
    assert list(found.robust) == [(row.model, row.attack, row.eps) for row in found.rows]
    assert {key: np.unpackbits(bits, count=10).tolist() for key, bits in found.robust.items()} == {
        ("b", "autoattack-Linf", "0.5/255"): [0, 1, 1, 1, 1, 1, 1, 1, 1, 1],
        ("b", "autoattack-Linf", "1/255"): [0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
        ("a", "clean", "0"): [1] * 8 + [0] * 2,
        ("a", "autoattack-Linf", "0.5/255"): [1] * 6 + [0] * 4,
        ("a", "autoattack-Linf", "1/255"): [1] * 2 + [0] * 8,
    }


def test_bits_agree_with_the_counts_of_the_table(make_run):
    run = make_run(models=["a"], images=11)
    run.write_record("a", "autoattack-Linf", "RcRtRfRsRWR", "ccccccccRWc")
    found = _read_tally(run)
    for row, bits in zip(found.rows, found.robust.values(), strict=True):
        assert bits.dtype == np.uint8
        assert len(bits) == 2
        assert int(np.unpackbits(bits).sum()) == row.robust, "the bits past the last image are 0"


@pytest.fixture
def in_parallel(monkeypatch):
    """Allow several processes for few pairs, and batches of two files."""
    monkeypatch.setattr(tally, "FEW_PAIRS", 0)
    monkeypatch.setattr(reading, "BATCH_SIZE", 2)


@pytest.fixture
def mixed(make_run):
    """A run with pairs of all kinds: ok, failed, missing, damaged, empty and stale."""
    run = make_run(models=[f"m{at}" for at in range(9)])
    for at, pair in enumerate(run.plan):
        if at < 12:
            verdicts = "R" * (at % 9) + "c" * (9 - at % 9) + "W"
            run.write_record(
                pair.model.name, pair.attack.name, *[verdicts] * len(pair.attack.budgets), notes=[f"{at % 3}"]
            )
    run.write_failure("m6", "clean", "no such weights")
    run.write_record("m7", "clean", "R" * 10).write_bytes(b"{}")
    run.write_record("m8", "clean", "R" * 10).write_bytes(b"")
    run.write_outcome(run.make_record(run.pair_with_other_seed("m8", "autoattack-Linf"), "R" * 10, "R" * 10))
    return run


def _archive(run, path, kind):
    with tarfile.open(path, f"w:{kind}") as archive:
        for outcome in sorted(run.folder.outcomes.iterdir(), key=lambda path: path.name[::-1]):
            archive.add(outcome, f"./{outcome.name}")
    return path


@pytest.mark.parametrize("kind", ["folder", "tar", "gz"])
def test_two_processes_give_the_same_tally_as_one(mixed, in_parallel, tmp_path, kind):
    where = mixed.folder.outcomes
    if kind != "folder":
        where = _archive(mixed, tmp_path / "outcomes.tar", "" if kind == "tar" else kind)
    events = EventLog(mixed.folder.events)
    one, two = (tally.read_tally(mixed.plan, where, events, processes) for processes in (1, 2))
    assert {key: bits.tolist() for key, bits in one.robust.items()} == {
        key: bits.tolist() for key, bits in two.robust.items()
    }
    assert {name: bits.tolist() for name, bits in one.clean.items()} == {
        name: bits.tolist() for name, bits in two.clean.items()
    }
    one.robust, one.clean = two.robust, two.clean  # compared above; arrays have no single truth value
    assert one == two
    assert dict(two.states) == {"ok": 12, "failed": 3, "missing": 3, "stale": 1}


def test_archive_cut_within_its_last_file_raises(mixed, in_parallel, tmp_path):
    """The header of the last file is complete, so only reading the file detects the error, not listing the
    archive."""
    whole = _archive(mixed, tmp_path / "outcomes.tar", "")
    with tarfile.open(whole) as archive:
        last = archive.getmembers()[-1]
    cut = tmp_path / "cut.tar"
    cut.write_bytes(whole.read_bytes()[: last.offset_data + last.size // 2])
    for processes in (1, 2):
        with pytest.raises(ConfigErrors, match="cut short"):
            tally.read_tally(mixed.plan, cut, EventLog(mixed.folder.events), processes)
