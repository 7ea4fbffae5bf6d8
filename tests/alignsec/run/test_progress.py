"""Progress lines: what a job writes is what the local runner reads."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alignsec.run.progress import Progress

counts = st.integers(0, 10**9)


@given(
    counts, counts, st.integers(0, 10**9).map(lambda n: n / 10), counts, st.sampled_from(["done", "step 3 of 8"])
)
def test_a_line_is_read_back(done: int, total: int, rate: float, left: int, doing: str):
    told = Progress(done, total, rate, left, doing)
    assert Progress.read(f"{told}\n") == told


@pytest.mark.parametrize(
    "line", ["", "\n", "progress:", "progress: 1/2 images", "x: ok", "Traceback (most recent"]
)
def test_other_lines_tell_nothing(line: str):
    assert Progress.read(line) is None


@given(st.text())
def test_no_line_is_an_error(line: str):
    """A job's log holds whatever libraries print."""
    assert Progress.read(line) is None
