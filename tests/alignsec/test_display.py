"""Progress display: lines in a log at intervals, bars on a terminal, nothing without a console."""

import io

import pytest
from rich.console import Console

from alignsec import display
from alignsec.display import BYTES, Display


class Clock:
    """A clock that a test moves by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        """Return the time in seconds."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(display.time, "monotonic", clock.monotonic)
    return clock


def test_log_gets_a_line_at_intervals(clock):
    """With 4 s for each item and 10 s between lines, every third item prints a line: done, rate and time left."""
    out = io.StringIO()
    with Display(Console(file=out)) as shown:
        shown.begin("reading [outcomes]", 6, unit="outcomes")
        for _ in range(6):
            clock.now += 4
            shown.advance()
    assert out.getvalue().splitlines() == [
        "reading [outcomes], 3/6 outcomes, 0.2 outcomes/s, 12 s left",
        "reading [outcomes], 6/6 outcomes, 0.2 outcomes/s, 0 s left",
    ]


def test_each_step_starts_at_zero(clock):
    """Amounts and rate of a step do not include the previous step."""
    out = io.StringIO()
    with Display(Console(file=out)) as shown:
        shown.begin("first", 100, unit="images")
        clock.now += 5
        shown.update(100)
        shown.begin("second", 50, unit="images")
        clock.now += 10
        shown.update(10)
    assert out.getvalue().splitlines() == ["second, 10/50 images, 1.0 images/s, 40 s left"]


def test_bytes_of_several_items_are_added(clock):
    """In a log, one line sums the items; a finished item still counts."""
    out = io.StringIO()
    with Display(Console(file=out)) as shown:
        shown.begin("0/2 files", unit=BYTES)
        shown.update(1_000_000, item="a")
        clock.now += 5
        shown.finish("a", "1/2 files")
        clock.now += 5
        shown.update(2_000_000, 9_000_000, item="b")
    assert out.getvalue().splitlines() == ["1/2 files, 3.0 MB, 0.3 MB/s"]


def test_terminal_shows_a_bar_for_each_item(clock):
    out = io.StringIO()
    with Display(Console(file=out, force_terminal=True, width=200), transient=False) as shown:
        shown.begin("0/2 files", unit=BYTES)
        shown.update(1_000_000, item="a [1]")
        shown.update(2_000_000, 9_000_000, item="b")
    text = out.getvalue()
    assert "a [1]" in text
    assert "2.0 MB of 9.0 MB" in text
    assert "\x1b" in text


def test_without_a_console_nothing_is_shown():
    with Display() as shown:
        shown.begin("reading", 2, unit="outcomes")
        shown.advance()
