"""A canary and then the study, on a real pool: the canary runs alone, and its result is kept."""

import io
from pathlib import Path

from rich.console import Console

from alignsec.run.event_log import EventLog
from submit import canary, layout, validation
from submit.condor import submission
from submit.pool.pool import Pool
from submit.requests import requests
from submit.requests.measurements import read_measurements
from tests.pool.runs import TinyRun


def test_a_canary_runs_alone_and_counts_as_a_finished_pair(pool: Pool, tmp_path: Path) -> None:
    tiny = TinyRun(tmp_path, pool, models=("one", "two"))
    site = tiny.site()
    plan = layout.write_run_folder(validation.validate(tiny.write_study(), tmp_path / "hub"), tiny.run)
    runs = tiny.run.root.parent
    requested = requests.request_resources(plan, tiny.run, site, site.weights, read_measurements(runs))
    only = canary.choose_pair(plan, requested, ())
    assert only is not None
    submission.write_dag(tiny.run, plan, site, requested, (), only)
    submission.submit_dag(tiny.run, pool.run)
    output = io.StringIO()
    assert canary.wait_for_canary(Console(file=output, width=500), tiny.run, only, requested[only]) == 0
    assert "ran on CPU" in output.getvalue()
    assert [path.stem for path in tiny.run.outcomes.glob("*.json")] == [only]

    measured = read_measurements(runs)
    assert len(measured) == 1
    again = requests.request_resources(plan, tiny.run, site, site.weights, measured)
    (other,) = [pair.id for pair in plan if pair.id != only]
    assert again[other].seconds != requested[other].seconds, "the canary's measurements set the estimate"

    tiny.submit()
    assert tiny.wait_for("ended").counts["ok"] == 2
    assert set(EventLog(tiny.run.events).nodes) == {other, "aggregate"}, "the canary must not run again"
