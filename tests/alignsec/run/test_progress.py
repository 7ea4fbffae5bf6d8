"""Progress lines, which jobs write and the local runner reads."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alignsec.run.progress import Progress

counts = st.integers(0, 10**9)


@given(
    counts, counts, st.integers(0, 10**9).map(lambda n: n / 10), counts, st.sampled_from(["done", "step 3 of 8"])
)
def test_a_written_line_is_read(done: int, total: int, rate: float, left: int, stage: str):
    written = Progress(done, total, rate, left, stage)
    assert Progress.read(f"{written}\n") == written


@pytest.mark.parametrize(
    "line",
    [
        *("", "\n", "progress:", "progress: 1/2 images", "x: ok", "Traceback (most recent"),
        "progress: 1/2 images, 1.2.3 passes/s, at most 4 s left (done)",
        f"progress: {'9' * 5000}/2 images, 1.0 passes/s, at most 4 s left (done)",
    ],
)
def test_other_lines_have_no_progress(line: str):
    assert Progress.read(line) is None


@given(st.text())
def test_no_line_raises(line: str):
    """A job's log also contains the output of libraries."""
    assert Progress.read(line) is None
