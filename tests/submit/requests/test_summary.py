"""The summary that is told before anything is submitted."""

import io

from rich.console import Console

from submit.requests import summary
from tests import tiny
from tests.submit.condor.test_dag import asks
from tests.submit.condor.test_description import plan


def told(done: tuple[str, ...] = (), *, table: bool = True) -> str:
    console = Console(file=io.StringIO(), width=120)
    made = plan()
    summary.print_requests(console, made, {pair.id: asks(pair) for pair in made}, done, table=table)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_row_a_model_and_what_all_takes():
    said = told()
    assert "tiny" in said
    for words in (
        "of CPU time in all",
        "each job is handed 15.0 kB",
        "assumed speed",
    ):
        assert words in " ".join(said.split())
    assert "GPU memory" not in said


def test_the_most_it_can_take_is_told_where_images_may_hold_out():
    """A robust image costs many times a broken one, but only where there are more steps than those to break it."""
    short, long = (asks(tiny.pair(attack=tiny.attack(steps=steps))) for steps in (3, 1000))
    assert "if every image stayed robust" not in summary.totals({"tiny": [short]})[0]
    assert "if every image stayed robust" in summary.totals({"tiny": [long]})[0]


def test_without_the_table_it_is_a_few_lines():
    assert len(told(table=False).splitlines()) <= 5


def test_pairs_that_are_done_take_no_time():
    assert told((tiny.pair().id,)) == "1 pairs have their record and are not run again\n"


def test_units():
    assert [summary.duration(seconds) for seconds in (30, 600, 90_000, 9e6)] == [
        "30 s",
        "10 min",
        "25 h",
        "2,500 h",
    ]
    assert [summary.size(count) for count in (0, 1234, 110e6, 6.3e9)] == ["0.0 kB", "1.2 kB", "110 MB", "6.3 GB"]
