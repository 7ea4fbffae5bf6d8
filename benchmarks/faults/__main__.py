"""Run the fault campaign on a private pool, and write benchmarks/results/faults.json.

    python -m benchmarks.faults --seeds 200

Each seed is one replayable schedule of faults on a run of a few tiny pairs whose job is the real one. After its
faults a seed is submitted again until all pairs are ok, and its verdicts are compared with an undisturbed run.
`--only SEED` repeats one seed. With `--folder` a campaign that was stopped continues where it was: the file
results.jsonl in that folder has a line for each seed that has ended.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from benchmarks.faults import actions, page, summary
from benchmarks.faults.campaign import run_campaign
from benchmarks.faults.kinds import KINDS
from benchmarks.faults.schedule import Schedule

RESULTS = Path(__file__).parents[1] / "results" / "faults.json"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the campaign and print its table.

    Returns:
        0 if each seed has a result and nothing was lost, doubled, wrong or hung, else 1.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="number of seeds")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--only", type=int, help="repeat one seed, and write no results")
    parser.add_argument("--at-once", type=int, default=6, help="seeds that run at the same time")
    parser.add_argument(
        "--folder", type=Path, help="where to write and keep the runs (default: a temporary folder)"
    )
    chosen = parser.parse_args(arguments)
    kinds = tuple(name for name, kind in KINDS.items() if actions.has_mount() or not kind.small_disk)
    seeds = range(chosen.first, chosen.first + chosen.seeds) if chosen.only is None else [chosen.only]
    schedules = [Schedule.from_seed(seed, kinds) for seed in seeds]
    results = RESULTS if chosen.only is None else None
    run = partial(run_campaign, schedules=schedules, at_once=chosen.at_once, results=results, environ=os.environ)
    if chosen.folder:
        chosen.folder.mkdir(parents=True, exist_ok=True)
        done = run(chosen.folder.resolve())
    else:
        with tempfile.TemporaryDirectory() as folder:
            done = run(Path(folder))
    if results is not None:
        page.write(results)
    sys.stdout.write(summary.format_table(done.results))
    missing = {schedule.seed for schedule in schedules} - done.done
    sys.stdout.write(f"seeds without a result: {sorted(missing)}\n" if missing else "")
    return int(bool(missing) or any(one.is_bad for one in done.results))


if __name__ == "__main__":
    sys.exit(main())
