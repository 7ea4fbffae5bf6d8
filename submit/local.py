"""Runs of pairs on this machine, without HTCondor: same files of pairs, same job, same outcomes."""

import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from alignsec.errors import ConfigError, ConfigErrors
from alignsec.run import exit_code, outcome_file, status
from alignsec.run.folder import JOB_EXAMPLES, JOB_OUTCOME, RunFolder
from alignsec.run.job_environment import HOME, inherited, job_environment
from alignsec.run.outcome import Failure
from alignsec.run.pair_shard import shard_name
from alignsec.run.plan import Plan, PlannedPair
from alignsec.run.progress import Progress
from submit import guarded
from submit.monitor.pair_display import PairDisplay
from submit.site import Site


@dataclass(frozen=True)
class EndedJob:
    """A pair whose job has ended."""

    id: str
    """The pair's id."""
    code: int
    """The job's exit code; a negative value is the signal that killed it."""


@dataclass
class LocalRun:
    """The jobs of one run on this machine."""

    folder: RunFolder
    python: str
    """The Python that starts the jobs."""
    environ: Mapping[str, str]
    """Environment of this process; jobs inherit the variables of `job_environment.INHERITED`."""
    processes: int
    """Pairs run at a time."""
    retries: int
    """Further attempts of a pair whose job failed through the machine's fault."""
    on_progress: Callable[[str, Progress], None] = lambda pair_id, progress: None
    """Called from worker threads with a pair's id and the progress that its job printed."""
    _running: dict[str, "subprocess.Popen[str]"] = field(default_factory=dict)
    _stopping: threading.Event = field(default_factory=threading.Event)

    def run(self, plan: Plan) -> Iterator[EndedJob]:
        """Run every pair that is not ok.

        If the iteration is interrupted, running jobs are killed; outcomes of finished pairs are kept. The caller
        must hold the folder's lock.

        Yields:
            Each pair when its job has ended.

        Raises:
            ConfigErrors: `python` is not a program.
        """
        if shutil.which(self.python) is None:
            remedy = "is not a program; set PYTHON to a Python interpreter, or leave it empty"
            raise ConfigErrors([ConfigError(path=".env", field="PYTHON", given=f'"{self.python}"', remedy=remedy)])
        pending = [
            (shard_name(index), planned) for index, planned in enumerate(plan.planned) if not self.is_ok(planned)
        ]
        with ThreadPoolExecutor(self.processes) as workers:
            shutil.rmtree(self.folder.scratch, ignore_errors=True)
            futures = {workers.submit(self._run_pair, *one) for one in pending}
            try:
                while futures:
                    done, futures = wait(futures, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in done)
            finally:
                self._stop()
                for future in futures:
                    future.cancel()
        shutil.rmtree(self.folder.scratch, ignore_errors=True)

    def is_ok(self, planned: PlannedPair) -> bool:
        """Return whether a pair already has a valid result."""
        return status.read_pair_status(planned.pair, self.folder.outcome(planned.pair.id)).state == "ok"

    def _run_pair(self, shard: str, planned: PlannedPair) -> EndedJob:
        """Run the job of a pair of a shard; retry it while it fails through the machine's fault."""
        code = exit_code.TEMPORARY_FAILURE
        for _ in range(1 + self.retries):
            if self._stopping.is_set():
                break
            code = self._run_job(shard, planned)
            if code in (exit_code.DONE, exit_code.PERMANENT_FAILURE):
                break
        return EndedJob(planned.pair.id, code)

    def _run_job(self, shard: str, planned: PlannedPair) -> int:
        """Run one job in an empty folder that holds the pair's files, as HTCondor does; return its exit code."""
        pair_id = planned.pair.id
        scratch = self.folder.job_scratch(pair_id)
        shutil.rmtree(scratch, ignore_errors=True)
        (scratch / HOME).mkdir(parents=True)
        pairs = self.folder.pair_file(shard)
        for source in (*(self.folder.input(path) for path in planned.inputs), pairs):
            (scratch / source.name).symlink_to(source.absolute())
        command = [self.python, "-m", "jobs.evaluate", pairs.name, "--pair", pair_id]
        with (
            self.folder.log(pair_id).open("w", encoding="utf-8") as log,
            guarded.start(command, scratch, self._environment(scratch), subprocess.PIPE) as job,
        ):
            self._running[pair_id] = job
            if self._stopping.is_set():
                guarded.kill(job)
            assert job.stdout is not None  # noqa: S101 - it is a pipe
            for line in job.stdout:
                log.write(line)
                log.flush()
                if progress := Progress.read(line):
                    self.on_progress(pair_id, progress)
            code = job.wait()
        del self._running[pair_id]
        if not self._stopping.is_set():
            self._collect_outcome(planned, scratch, code)
        shutil.rmtree(scratch, ignore_errors=True)
        return code

    def _environment(self, scratch: Path) -> dict[str, str]:
        """Return the variables of a job, with its share of the cores."""
        threads = max(1, (os.cpu_count() or 1) // self.processes)
        own = job_environment(scratch, self.folder.code.resolve())
        return {**inherited(self.environ), **own, "OMP_NUM_THREADS": str(threads)}

    def _collect_outcome(self, planned: PlannedPair, scratch: Path, code: int) -> None:
        """Move the job's outcome and examples into place, or write a failure for a job that left none."""
        left = scratch / JOB_OUTCOME
        outcome = self.folder.outcome(planned.pair.id)
        if left.exists() and left.stat().st_size:
            # First the examples: an outcome that is in place has its file.
            examples = scratch / JOB_EXAMPLES
            if examples.exists() and examples.stat().st_size:
                examples.replace(self.folder.examples(planned.pair.id))
            left.replace(outcome)
            return
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        reason = f"the job {how} and left no outcome; see {self.folder.log(planned.pair.id)}"
        outcome_file.write(outcome, Failure(id=planned.pair.id, pair=planned.pair, hopeless=False, reason=reason))

    def _stop(self) -> None:
        self._stopping.set()
        for job in list(self._running.values()):
            guarded.kill(job)


def run_locally(
    console: Console,
    site: Site,
    plan: Plan,
    folder: RunFolder,
    environ: Mapping[str, str],
    processes: int | None = None,
) -> int:
    """Run the pairs that are not ok, show the progress, then run the analysis.

    Args:
        console: Where to show the progress.
        site: The site's settings.
        plan: The run's plan.
        folder: The run folder, whose lock the caller holds.
        environ: Environment of this process; jobs inherit the variables of `job_environment.INHERITED`.
        processes: Pairs run at a time; by default LOCAL_JOBS of the site, or else one for each core.

    Returns:
        The exit code of the analysis: 0 if every pair is ok.

    Raises:
        ConfigErrors: The site's Python is not a program.
    """
    processes = max(1, processes or site.local_jobs or os.cpu_count() or 1)
    run = LocalRun(folder, site.job_python, environ, processes, site.retries)
    already = [planned.pair.id for planned in plan.planned if run.is_ok(planned)]
    pairs = {pair.id: pair for pair in plan}
    with PairDisplay(console, plan, plan.image_count, already) as display:
        run.on_progress = display.report
        for job in run.run(plan):
            result = status.read_pair_status(pairs[job.id], folder.outcome(job.id))
            display.end(job.id, result.state + (f" ({result.reason})" if result.reason else ""))
    # With the run's code, as in its jobs: this checkout may have changed since.
    analysis = [site.job_python, "-m", "aggregate", str(folder.root)]
    environment = {**inherited(environ), "PYTHONPATH": str(folder.code.resolve())}
    with guarded.start(analysis, folder.root, environment) as process:
        return process.wait()
