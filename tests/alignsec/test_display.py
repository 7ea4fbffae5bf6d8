"""Headway: lines in a log while something is long, and none while it is short."""

import io

from rich.console import Console

from aggregate import headway
from aggregate.analysis import analyse
from aggregate.headway import Headway
from alignsec.run.event_log import EventLog


def test_a_log_is_told_now_and_then(monkeypatch):
    """A clock that moves 4 s at each look: a line at every third."""
    clock = iter(range(0, 400, 4))
    monkeypatch.setattr(headway.time, "monotonic", lambda: next(clock))
    said = io.StringIO()
    with Headway(Console(file=said)) as going:
        going.begin("reading [outcomes]", 6)
        for _ in range(6):
            going.advance()
    assert said.getvalue().splitlines() == ["reading [outcomes] 2/6", "reading [outcomes] 5/6"]


def test_an_analysis_tells_its_steps_and_every_outcome(make_run, monkeypatch):
    monkeypatch.setattr(headway, "PLAIN_EVERY_SECONDS", 0.0)
    run = make_run(models=["a", "b"])
    run.answer("a", "clean", "R" * 10)
    said = io.StringIO()
    with Headway(Console(file=said)) as going:
        analyse(run.folder, run.folder.outcomes, EventLog(run.folder.events), run.folder.analysis, headway=going)
    lines = said.getvalue().splitlines()
    assert "reading outcomes 4/4" in lines
    assert [line for line in lines if "/" not in line] == ["statistics", "report"]
    assert any(line.startswith("figures ") for line in lines)


def test_without_a_console_nothing_is_shown():
    with Headway() as going:
        going.begin("reading", 2)
        going.advance()
