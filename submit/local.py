"""Running a run's pairs on this machine, without HTCondor: same pair files, same job, same outcomes."""

import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from alignsec.errors import ConfigError, ConfigErrors
from alignsec.run import exit_code, outcome_file, status
from alignsec.run.folder import JOB_OUTCOME, RunFolder
from alignsec.run.outcome import Failure
from alignsec.run.plan import Plan, PlannedPair
from alignsec.run.progress import Progress
from submit.monitor.pair_display import PairDisplay
from submit.site import Site


@dataclass(frozen=True)
class Ended:
    """A pair whose job has ended."""

    id: str
    code: int
    """The job's exit code; negative is the signal that killed it."""


@dataclass
class Local:
    """The jobs of one run on this machine."""

    folder: RunFolder
    python: str
    environ: Mapping[str, str]
    processes: int
    """Pairs at once."""
    retries: int
    on_progress: Callable[[str, Progress], None] = lambda pair_id, progress: None
    """Called from worker threads with what a pair's job says of itself."""
    _running: dict[str, "subprocess.Popen[str]"] = field(default_factory=dict)
    _stopping: threading.Event = field(default_factory=threading.Event)

    def run(self, plan: Plan) -> Iterator[Ended]:
        """Run every pair that is not ok, yielding each as it ends.

        An interrupt ends the jobs that run and loses nothing that is finished. Whoever calls holds the folder's
        lock. Raises Mistakes if there is no such Python.
        """
        if shutil.which(self.python) is None:
            raise ConfigErrors(
                [
                    ConfigError(
                        path=".env",
                        field="PYTHON",
                        given=f'"{self.python}"',
                        remedy="is no program; name a Python, or leave it empty",
                    )
                ]
            )
        pending = [p for p in plan.planned if not self.is_ok(p)]
        with ThreadPoolExecutor(self.processes) as workers:
            shutil.rmtree(self.folder.scratch, ignore_errors=True)
            futures = {workers.submit(self._pair, planned) for planned in pending}
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
        """Whether a pair has its record already."""
        return status.pair_status(planned.pair, self.folder.outcome(planned.pair.id)).state == "ok"

    def _pair(self, planned: PlannedPair) -> Ended:
        """One pair, again while the machine is to blame."""
        code = exit_code.TRY_AGAIN
        for _ in range(1 + self.retries):
            if self._stopping.is_set():
                break
            code = self._once(planned)
            if code in (exit_code.DONE, exit_code.HOPELESS):
                break
        return Ended(planned.pair.id, code)

    def _once(self, planned: PlannedPair) -> int:
        """One job in an empty folder that holds the pair's files, as HTCondor would start it."""
        pair_id = planned.pair.id
        scratch = self.folder.job_scratch(pair_id)
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        for source in (*(self.folder.input(path) for path in planned.inputs), self.folder.pair(pair_id)):
            (scratch / source.name).symlink_to(source.absolute())
        command = [self.python, "-m", "jobs.evaluate", self.folder.pair(pair_id).name]
        with (
            self.folder.log(pair_id).open("w", encoding="utf-8") as log,
            # A session of its own: Ctrl-C reaches this process only, which then ends its jobs in order.
            subprocess.Popen(
                command,
                cwd=scratch,
                env=self._environment(scratch),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,
            ) as job,
        ):
            self._running[pair_id] = job
            if self._stopping.is_set():
                _kill(job)
            assert job.stdout is not None  # noqa: S101 - it is a pipe
            for line in job.stdout:
                log.write(line)
                log.flush()
                if progress := Progress.read(line):
                    self.on_progress(pair_id, progress)
            code = job.wait()
        del self._running[pair_id]
        if not self._stopping.is_set():
            self._keep(planned, scratch, code)
        shutil.rmtree(scratch, ignore_errors=True)
        return code

    def _environment(self, scratch: Path) -> dict[str, str]:
        """What a job gets: the run's code, its own home, and its share of the cores."""
        threads = max(1, (os.cpu_count() or 1) // self.processes)
        return {
            **self.environ,
            "PYTHONPATH": str(self.folder.code.resolve()),
            "PYTHONUNBUFFERED": "1",
            "HOME": str(scratch),
            "HF_HOME": str(scratch / "hub"),
            "TORCH_HOME": str(scratch / "torch"),
            "TORCHINDUCTOR_CACHE_DIR": str(scratch / "inductor"),
            "TRITON_CACHE_DIR": str(scratch / "triton"),
            "TORCHINDUCTOR_COMPILE_THREADS": "1",
            "TMPDIR": str(scratch),
            "HF_HUB_OFFLINE": "1",
            "BS_INSTALL_DEPENDENCIES": "no",
            "OMP_NUM_THREADS": str(threads),
        }

    def _keep(self, planned: PlannedPair, scratch: Path, code: int) -> None:
        """Move the outcome into place, or write the failure of a job that died before it could."""
        left = scratch / JOB_OUTCOME
        kept = self.folder.outcome(planned.pair.id)
        if left.exists() and left.stat().st_size:
            left.replace(kept)
            return
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        reason = f"the job {how} and left no outcome; see {self.folder.log(planned.pair.id)}"
        outcome_file.write(kept, Failure(id=planned.pair.id, pair=planned.pair, hopeless=False, reason=reason))

    def _stop(self) -> None:
        self._stopping.set()
        for job in list(self._running.values()):
            _kill(job)


def _kill(job: "subprocess.Popen[str]") -> None:
    """End a job and what it started, all of its session."""
    with suppress(ProcessLookupError):
        os.killpg(job.pid, signal.SIGKILL)


def study(
    console: Console,
    site: Site,
    plan: Plan,
    folder: RunFolder,
    environ: Mapping[str, str],
    processes: int | None = None,
) -> int:
    """Run the pairs that are not ok, showing progress, then the analysis; its exit code.

    processes: pairs at once; None takes the site's, and one for each core where it has none.
    """
    processes = max(1, processes or site.local_jobs or os.cpu_count() or 1)
    here = Local(folder, site.job_python, environ, processes, site.retries)
    already = [planned.pair.id for planned in plan.planned if here.is_ok(planned)]
    pairs = {pair.id: pair for pair in plan}
    with PairDisplay(console, plan, plan.image_count, already) as display:
        here.on_progress = display.report
        for ended in here.run(plan):
            now = status.pair_status(pairs[ended.id], folder.outcome(ended.id))
            display.end(ended.id, now.state + (f" ({now.reason})" if now.reason else ""))
    # By the run's own code, as its jobs: this checkout may have moved on meanwhile.
    analysis = [site.job_python, "-m", "aggregate", str(folder.root)]
    environment = {**environ, "PYTHONPATH": str(folder.code.resolve())}
    return subprocess.run(analysis, cwd=folder.root, env=environment, check=False).returncode
