"""Run the fault campaign on a private pool, and write benchmarks/results/faults.json.

    python -m benchmarks.faults --seeds 200

Each seed is one replayable schedule of faults on a run of a few tiny pairs whose job is the real one. After its
faults a seed is submitted again until all pairs are ok, and its verdicts are compared with an undisturbed run.
`--only SEED` repeats one seed. 200 seeds take an hour on two free cores.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from benchmarks.faults import actions, summary
from benchmarks.faults.campaign import Course, Schedule, SeedResult, run_undisturbed
from benchmarks.faults.kinds import KINDS
from benchmarks.faults.seed_run import SeedRun, Verdicts, write_study
from submit.pool.pool import Pool, PoolOptions
from submit.pool.private import clean, find_installed, up
from tests.paths import CHECKOUT

RESULTS = Path(__file__).parents[1] / "results" / "faults.json"
START_SECONDS = 180


@contextmanager
def warm_python(folder: Path) -> Iterator[Path]:
    """Start the warm Python; yield its socket."""
    socket = folder / "socket"
    command = [sys.executable, "-m", "benchmarks.faults.warm_python", str(socket)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, cwd=CHECKOUT, env=environment, stdout=subprocess.DEVNULL) as server:
        try:
            deadline = time.monotonic() + START_SECONDS
            while not socket.exists() and server.poll() is None and time.monotonic() < deadline:
                time.sleep(0.1)
            yield socket
        finally:
            server.kill()


@contextmanager
def private_pool(folder: Path) -> Iterator[Pool]:
    """Start a pool with many small slots."""
    options = PoolOptions(cpus=24, memory_mb=65536, installed=find_installed(os.environ))
    try:
        yield up(folder, options)
    finally:
        clean(folder)


class Campaign:
    """The seeds of one campaign, which share a pool, a warm Python and two studies."""

    def __init__(self, folder: Path, pool: Pool, server: Path) -> None:
        self._folder = folder
        self._pool = pool
        self._server = server
        self._expected: dict[bool, Verdicts] = {}

    def prepare(self, *, long: bool) -> None:
        """Write a study and run it undisturbed."""
        study = self._folder / f"study-{long}"
        write_study(study, self._pool, long=long)
        run = SeedRun.create(study, self._folder / f"undisturbed-{long}", self._pool, self._server)
        run.write_python(whole=False)
        self._expected[long] = run_undisturbed(run)

    def follow(self, schedule: Schedule) -> SeedResult:
        """Run one seed and remove its folder if everything was right."""
        kinds = [KINDS[kind] for kind in schedule.kinds]
        long = any(kind.long for kind in kinds)
        site = {name: value for kind in kinds for name, value in kind.site.items()}
        folder = self._folder / f"seed-{schedule.seed}"
        run = SeedRun.create(self._folder / f"study-{long}", folder, self._pool, self._server, **site)
        disk = any(kind.small_disk for kind in kinds)
        if disk:
            actions.mount_disk(run)
        result = Course(schedule, run, self._expected[long]).follow()
        bad = result.lost or result.doubled or result.wrong or result.hung
        if disk and not bad:
            actions.unmount_disk(run)
        sys.stdout.write(f"{json.dumps(result.as_dict(), ensure_ascii=False)}\n")
        sys.stdout.flush()
        return result


def run_campaign(
    folder: Path, schedules: Sequence[Schedule], at_once: int, results: Path | None
) -> list[SeedResult]:
    """Run schedules on a pool of their own.

    Args:
        folder: Where the runs are written.
        schedules: The seeds.
        at_once: Seeds that run at the same time.
        results: Where to write the summary after each seed; None: nowhere.

    Returns:
        The results.
    """
    started, done = time.monotonic(), list[SeedResult]()
    with private_pool(folder / "pool") as pool, warm_python(folder) as server:
        campaign = Campaign(folder, pool, server)
        for long in sorted({any(KINDS[kind].long for kind in one.kinds) for one in schedules}):
            campaign.prepare(long=long)
        # Faults of daemons hit every run of the pool, so those seeds come last, together.
        for shared in (False, True):
            group = [schedule for schedule in schedules if schedule.shared == shared]
            with ThreadPoolExecutor(at_once) as threads:
                for result in threads.map(campaign.follow, group):
                    done.append(result)
                    if results is not None:
                        summary.write(results, done, time.monotonic() - started)
    return done


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the campaign and print its table.

    Returns:
        0 if nothing was lost, doubled, wrong or hung, else 1.
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
    run = partial(run_campaign, schedules=schedules, at_once=chosen.at_once, results=results)
    if chosen.folder:
        chosen.folder.mkdir(parents=True, exist_ok=True)
        done = run(chosen.folder.resolve())
    else:
        with tempfile.TemporaryDirectory() as folder:
            done = run(Path(folder))
    sys.stdout.write(summary.format_table(done))
    return int(any(one.lost or one.doubled or one.wrong or one.hung for one in done))


if __name__ == "__main__":
    sys.exit(main())
