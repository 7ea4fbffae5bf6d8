"""What a person sees while pairs run."""

import io

import pytest
from rich.console import Console

from alignsec import display
from alignsec.run.progress import Progress
from submit.monitor.pair_display import PairDisplay
from tests import tiny

PAIRS = [tiny.pair(name=name) for name in ("a", "b")]
"""Two budgets each: with 4 images, 8 verdicts a pair."""


class Clock:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        """Seconds."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(display.time, "monotonic", made.monotonic)
    return made


def shown(terminal: bool) -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    return Console(file=out, force_terminal=terminal, width=200, soft_wrap=True), out


def said(done: int) -> Progress:
    return Progress(done, 8, 100.0, 60, "step 1 of 2")


def test_plain_lines_in_a_log(clock: Clock):
    """One line every ten seconds at most, with images done, rate and time left; one for each pair that ends."""
    console, out = shown(terminal=False)
    with PairDisplay(console, PAIRS, 4, []) as watched:
        for second in range(1, 25):
            clock.now += 1
            watched.report(PAIRS[0].id, said(min(second // 3, 8)))
        clock.now += 1
        watched.end(PAIRS[0].id, "ok")
        watched.end(PAIRS[1].id, "failed (ModelError: no [good])")
    lines = out.getvalue().splitlines()
    assert lines[0] == "0/2 pairs, 3/16 images, 0.3 images/s, 43 s left"
    assert lines[1].startswith("0/2 pairs, 6/16 images")
    assert f"{PAIRS[0].id}: ok" in lines
    assert f"{PAIRS[1].id}: failed (ModelError: no [good])" in lines
    assert len(lines) <= 6
    assert "\x1b" not in out.getvalue()


def test_a_bar_on_a_terminal(clock: Clock):
    console, out = shown(terminal=True)
    with PairDisplay(console, PAIRS, 4, []) as watched:
        clock.now += 2
        watched.report(PAIRS[0].id, said(4))
        watched.end(PAIRS[0].id, "ok")
        watched.end(PAIRS[1].id, "ok")
    assert "16/16 images" in out.getvalue()
    assert "2/2 pairs" in out.getvalue()
    assert "\x1b" in out.getvalue()


def test_what_was_finished_before_is_no_rate(clock: Clock):
    """A run taken up half done: the time left is that of this call's own speed."""
    console, out = shown(terminal=False)
    with PairDisplay(console, PAIRS, 4, [PAIRS[0].id]) as watched:
        clock.now += 20
        watched.report(PAIRS[1].id, said(4))
    assert out.getvalue().splitlines() == ["1/2 pairs, 12/16 images, 0.2 images/s, 20 s left"]


def test_nothing_known_yet(clock: Clock):
    console, out = shown(terminal=False)
    with PairDisplay(console, PAIRS, 4, []) as watched:
        clock.now += 20
        watched.report(PAIRS[0].id, said(0))
    assert "time left unknown" in out.getvalue()


def test_more_than_all_is_all(clock: Clock):
    """A job of other code may count otherwise; the bar does not run over."""
    console, out = shown(terminal=False)
    with PairDisplay(console, PAIRS, 4, []) as watched:
        clock.now += 20
        watched.report(PAIRS[0].id, said(800))
    assert "8/16 images" in out.getvalue()
