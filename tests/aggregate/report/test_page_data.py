"""The data of the page's scripts."""

from dataclasses import replace

import pytest

from aggregate.collect import table, tally
from aggregate.report import page_data
from aggregate.statistics import tables
from aggregate.statistics.networks import Networks
from alignsec.run.event_log import EventLog


@pytest.mark.parametrize(
    ("tries", "evictions", "jobs"), [(0, 0, None), (1, 0, "1, evictions: 0"), (3, 2, "3, evictions: 2")]
)
def test_jobs_of_a_pair_include_evictions_even_if_there_are_none(make_run, tries, evictions, jobs):
    run = make_run(models=["a"])
    run.write_record("a", "clean", "RRRW")
    found = tally.read_tally(run.plan, run.folder.outcomes, EventLog(run.folder.events))
    found = replace(found, pairs=[replace(pair, tries=tries, evictions=evictions) for pair in found.pairs])
    rows = table.make_frame(found.rows)
    statistics = tables.compute_tables(rows, None, Networks(), found.robust)
    models = {pair.model.name: pair.model for pair in run.plan}
    data = page_data.build_page_data(models, ["a"], found, rows, statistics.correlations, None)
    assert {pair.get("jobs") for pair in data["pages"][0]["pairs"]} == {jobs}
