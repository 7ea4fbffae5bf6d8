"""The summary that is printed before anything is submitted."""

import io

from rich.console import Console

from submit.requests import summary
from tests import tiny
from tests.submit.plans import estimated_requests, plan


def printed(finished: tuple[str, ...] = (), *, table: bool = True) -> str:
    console = Console(file=io.StringIO(), width=120)
    made = plan()
    summary.print_requests(
        console, made, {pair.id: estimated_requests(pair) for pair in made}, finished, table=table
    )
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_row_for_each_model_and_the_total():
    output = printed()
    assert "tiny" in output
    for words in (
        "of CPU time in total",
        "input of each job: 15.0 kB",
        "assumed speed",
    ):
        assert words in " ".join(output.split())
    assert "GPU memory" not in output


def test_the_upper_bound_is_shown_if_it_differs():
    """A robust image costs much more than a broken one only if the attack has many more steps than it takes to
    break one."""
    short, long = (estimated_requests(tiny.pair(attack=tiny.attack(steps=steps))) for steps in (3, 1000))
    assert "if every image stays robust" not in summary.summarize_requests({"tiny": [short]})[0]
    assert "if every image stays robust" in summary.summarize_requests({"tiny": [long]})[0]


def test_without_the_table_it_is_a_few_lines():
    assert len(printed(table=False).splitlines()) <= 5


def test_finished_pairs_are_skipped():
    assert printed((tiny.pair().id,)) == "1 pairs already have results and are skipped\n"


def test_an_audited_attack_is_shown_next_to_the_full_one():
    """Expect passes and time of both, and their ratio."""
    attack = {"method": "autoattack", "steps": 100, "audit": {"share": "0.1"}}
    audited = estimated_requests(tiny.pair(attack=tiny.attack(**attack)))
    full = audited.estimate.in_full
    assert full is not None
    (line,) = (
        line for line in summary.summarize_requests({"tiny": [audited]}) if line.startswith("audited attacks")
    )
    assert f"about {audited.estimate.passes:.3g} passes" in line
    assert f"in full: {full.passes:.3g} passes" in line
    assert f"{full.passes / audited.estimate.passes:.1f} times as many" in line


def test_units():
    assert [summary.format_duration(seconds) for seconds in (30, 600, 90_000, 9e6)] == [
        "30 s",
        "10 min",
        "25 h",
        "2,500 h",
    ]
    assert [summary.format_size(count) for count in (0, 1234, 110e6, 6.3e9)] == [
        "0.0 kB",
        "1.2 kB",
        "110 MB",
        "6.3 GB",
    ]
