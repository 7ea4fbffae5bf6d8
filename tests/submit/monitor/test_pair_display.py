"""The progress display of a run's pairs."""

import io

import pytest
from rich.console import Console

from alignsec import display
from alignsec.run.progress import Progress
from submit.monitor.pair_display import PairDisplay
from tests import tiny

PAIRS = [tiny.pair(name=name) for name in ("a", "b")]
"""Each has two budgets: with 4 images, 8 verdicts a pair."""


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        """Return the time in seconds."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(display.time, "monotonic", made.monotonic)
    return made


def shown(terminal: bool) -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    return Console(file=out, force_terminal=terminal, width=200, soft_wrap=True), out


def progress(done: int) -> Progress:
    return Progress(done, 8, 100.0, 60, "step 1 of 2")


def test_plain_lines_in_a_log(clock: Clock):
    """One line every ten seconds at most, with images done, rate and time left; one for each pair that ends."""
    console, out = shown(terminal=False)
    with PairDisplay(console, PAIRS, 4, []) as pair_display:
        for second in range(1, 25):
            clock.now += 1
            pair_display.report(PAIRS[0].id, progress(min(second // 3, 8)))
        clock.now += 1
        pair_display.end(PAIRS[0].id, "ok")
        pair_display.end(PAIRS[1].id, "failed (ModelError: no [good])")
    lines = out.getvalue().splitlines()
    assert lines[0] == "0/2 pairs, 3/16 images, 0.3 images/s, 43 s left"
    assert lines[1].startswith("0/2 pairs, 6/16 images")
    assert f"{PAIRS[0].id}: ok" in lines
    assert f"{PAIRS[1].id}: failed (ModelError: no [good])" in lines
    assert len(lines) <= 6
    assert "\x1b" not in out.getvalue()


def test_a_bar_on_a_terminal(clock: Clock):
    console, out = shown(terminal=True)
    with PairDisplay(console, PAIRS, 4, []) as pair_display:
        clock.now += 2
        pair_display.report(PAIRS[0].id, progress(4))
        pair_display.end(PAIRS[0].id, "ok")
        pair_display.end(PAIRS[1].id, "ok")
    assert "16/16 images" in out.getvalue()
    assert "2/2 pairs" in out.getvalue()
    assert "\x1b" in out.getvalue()


def test_earlier_results_do_not_count_for_the_rate(clock: Clock):
    """In a resumed run, the time left follows from the rate since it was resumed."""
    console, out = shown(terminal=False)
    with PairDisplay(console, PAIRS, 4, [PAIRS[0].id]) as pair_display:
        clock.now += 20
        pair_display.report(PAIRS[1].id, progress(4))
    assert out.getvalue().splitlines() == ["1/2 pairs, 12/16 images, 0.2 images/s, 20 s left"]


def test_the_time_left_is_unknown_at_first(clock: Clock):
    console, out = shown(terminal=False)
    with PairDisplay(console, PAIRS, 4, []) as pair_display:
        clock.now += 20
        pair_display.report(PAIRS[0].id, progress(0))
    assert "time left unknown" in out.getvalue()


def test_the_bar_never_exceeds_the_total(clock: Clock):
    """A job with other code may report more images than the pair has."""
    console, out = shown(terminal=False)
    with PairDisplay(console, PAIRS, 4, []) as pair_display:
        clock.now += 20
        pair_display.report(PAIRS[0].id, progress(800))
    assert "8/16 images" in out.getvalue()
