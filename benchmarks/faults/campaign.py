"""A campaign: seeds that share a pool, a warm Python and two studies, several at a time."""

import json
import shutil
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from benchmarks.faults import actions, summary
from benchmarks.faults.course import Course, run_undisturbed
from benchmarks.faults.kinds import KINDS
from benchmarks.faults.result import ResultFile, SeedResult
from benchmarks.faults.schedule import Schedule
from benchmarks.faults.seed_run import SeedRun, Verdicts, write_study
from submit.pool.pool import Pool, PoolOptions
from submit.pool.private import clean, find_installed, up
from tests.paths import CHECKOUT

START_SECONDS = 180
RESTART_AT_ONCE = "MASTER_BACKOFF_CEILING = 2\n"
"""The master waits twice as long before each further restart of a daemon, and seeds kill daemons many times."""


@contextmanager
def warm_python(folder: Path, environ: Mapping[str, str]) -> Iterator[Path]:
    """Start the warm Python; yield its socket.

    Args:
        folder: The folder of the socket.
        environ: The environment of the warm Python.
    """
    socket = folder / "socket"
    command = [sys.executable, "-m", "benchmarks.faults.warm_python", str(socket)]
    environment = {**environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, cwd=CHECKOUT, env=environment, stdout=subprocess.DEVNULL) as server:
        try:
            deadline = time.monotonic() + START_SECONDS
            while not socket.exists() and server.poll() is None and time.monotonic() < deadline:
                time.sleep(0.1)
            yield socket
        finally:
            server.kill()


@contextmanager
def private_pool(folder: Path, environ: Mapping[str, str]) -> Iterator[Pool]:
    """Start a pool with many small slots.

    Args:
        folder: The pool's folder.
        environ: The caller's environment, whose PATH may have HTCondor.
    """
    options = PoolOptions(cpus=24, memory_mb=65536, installed=find_installed(environ), extra=RESTART_AT_ONCE)
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
        # A campaign that was stopped left its own.
        undisturbed = self._folder / f"undisturbed-{long}"
        for left in (study, undisturbed):
            shutil.rmtree(left, ignore_errors=True)
        write_study(study, self._pool, long=long)
        run = SeedRun.create(study, undisturbed, self._pool, self._server)
        run.write_python(whole=False)
        self._expected[long] = run_undisturbed(run)

    def follow(self, schedule: Schedule) -> SeedResult:
        """Run one seed and remove its folder if everything was right."""
        kinds = [KINDS[kind] for kind in schedule.kinds]
        long = schedule.long
        site = {name: value for kind in kinds for name, value in kind.site.items()}
        folder = self._folder / f"seed-{schedule.seed}"
        remove_folder(folder)
        run = SeedRun.create(self._folder / f"study-{long}", folder, self._pool, self._server, **site)
        if any(kind.small_disk for kind in kinds):
            actions.mount_disk(run)
        result = Course(schedule, run, self._expected[long]).follow()
        actions.remove_dag(run)
        if not result.is_bad:
            remove_folder(folder)
        sys.stdout.write(f"{json.dumps(asdict(result) | {'outcome': result.outcome}, ensure_ascii=False)}\n")
        sys.stdout.flush()
        return result


def remove_folder(folder: Path) -> None:
    """Remove the folder of a seed, and unmount its small disk."""
    if folder.exists():
        actions.unmount_disk(folder)
        shutil.rmtree(folder, ignore_errors=True)


def run_campaign(
    folder: Path, schedules: Sequence[Schedule], at_once: int, results: Path | None, environ: Mapping[str, str]
) -> ResultFile:
    """Run schedules on a pool of their own.

    Args:
        folder: Where the runs are written.
        schedules: The seeds. Those with a result in the folder are not repeated.
        at_once: Seeds that run at the same time.
        results: Where to write the summary after each seed; None: nowhere.
        environ: The caller's environment.

    Returns:
        The results. A seed that could not be run has none.
    """
    started, file = time.monotonic(), ResultFile(folder / "results.jsonl")
    left = [schedule for schedule in schedules if schedule.seed not in file.done]
    (folder / "socket").unlink(missing_ok=True)
    with private_pool(folder / "pool", environ) as pool, warm_python(folder, environ) as server:
        campaign = Campaign(folder, pool, server)
        for long in sorted({schedule.long for schedule in left}):
            campaign.prepare(long=long)
        # Faults of daemons hit every run of the pool, so those seeds run at another time than the others.
        for shared in (True, False):
            group = [schedule for schedule in left if schedule.shared == shared]
            for result in _follow_all(campaign, group, at_once):
                file.add(result, time.monotonic() - started)
                if results is not None:
                    summary.write(results, file)
    return file


def _follow_all(campaign: Campaign, schedules: Sequence[Schedule], at_once: int) -> Iterator[SeedResult]:
    """Yield the result of each seed as it ends; after Ctrl-C, start no further seed."""
    with ThreadPoolExecutor(at_once) as threads:
        try:
            for ended in as_completed([threads.submit(campaign.follow, schedule) for schedule in schedules]):
                if error := ended.exception():
                    traceback.print_exception(error)
                else:
                    yield ended.result()
        finally:
            threads.shutdown(wait=False, cancel_futures=True)
