"""The tally: what is kept of the outcomes beside the table's rows."""

import numpy as np

from aggregate import tally
from alignsec.event_log import EventLog


def _take(run):
    return tally.take(run.plan, run.folder.outcomes, EventLog(run.folder.events))


def test_robust_images_are_kept_as_bits(make_run):
    """One entry a row, in the rows' order, whatever order the files came in; failed and stale pairs have none."""
    run = make_run(models=["b", "a", "c"])
    run.answer("a", "autoattack-Linf", "RRRRRRctWW", "RRcctfsfWW")
    run.answer("a", "clean", "RRRRRRRRWW")
    run.answer("b", "autoattack-Linf", "WRRRRRRRRR", "WccccccccR")
    run.fail("c", "clean", "no such weights")
    run.put(run.record(run.of_another_seed("c", "autoattack-Linf"), "R" * 10, "R" * 10))
    found = _take(run)
    assert list(found.robust) == [(row.model, row.attack, row.eps) for row in found.rows]
    assert {key: np.unpackbits(bits, count=10).tolist() for key, bits in found.robust.items()} == {
        ("b", "autoattack-Linf", "0.5/255"): [0, 1, 1, 1, 1, 1, 1, 1, 1, 1],
        ("b", "autoattack-Linf", "1/255"): [0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
        ("a", "clean", "0"): [1] * 8 + [0] * 2,
        ("a", "autoattack-Linf", "0.5/255"): [1] * 6 + [0] * 4,
        ("a", "autoattack-Linf", "1/255"): [1] * 2 + [0] * 8,
    }


def test_robust_bits_count_what_the_table_counts(make_run):
    run = make_run(models=["a"], images=11)
    run.answer("a", "autoattack-Linf", "RcRtRfRsRWR", "ccccccccRWc")
    found = _take(run)
    for row, bits in zip(found.rows, found.robust.values(), strict=True):
        assert bits.dtype == np.uint8
        assert len(bits) == 2
        assert int(np.unpackbits(bits).sum()) == row.robust, "the bits past the last image are 0"
