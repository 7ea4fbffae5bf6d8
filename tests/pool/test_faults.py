"""The short fixed part of the fault campaign: three seeds at the same time; `make faults` runs hundreds."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.faults.campaign import Campaign, warm_python
from benchmarks.faults.schedule import Schedule
from submit.pool.pool import Pool

SCHEDULES = (
    Schedule(0, ("SIGKILL of DAGMan during FINAL",)),
    Schedule(1, ("job vacated", "nodes log damaged")),
    Schedule(2, ("weights damaged", "SIGKILL of a job")),
)


def test_disturbed_runs_end_with_the_verdicts_of_an_undisturbed_run(pool: Pool, tmp_path: Path) -> None:
    with warm_python(tmp_path, os.environ) as server, ThreadPoolExecutor(len(SCHEDULES)) as threads:
        campaign = Campaign(tmp_path, pool, server)
        campaign.prepare(long=False)
        results = list(threads.map(campaign.follow, SCHEDULES))
    for schedule, result in zip(SCHEDULES, results, strict=True):
        assert not result.is_bad, result
        assert set(result.happened) == set(schedule.kinds), result
