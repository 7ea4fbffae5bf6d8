"""The course of one seed: submit, let its faults happen, submit again until all pairs are ok, and compare."""

import time
from collections import Counter
from pathlib import Path

from alignsec.run.event_log import EventLog
from alignsec.run.plan import Plan
from benchmarks.faults import actions, detection, processes
from benchmarks.faults.kinds import KINDS
from benchmarks.faults.result import SeedResult
from benchmarks.faults.schedule import Schedule
from benchmarks.faults.seed_run import SeedRun, Verdicts
from submit.monitor.run_status import RunStatus

SUBMISSIONS = 6
"""Most submissions of a seed."""
HUNG_SECONDS = 300.0
"""A run without any new event or outcome for so long is hung. The machine may be busy with other work."""
FREE_SECONDS = 6.0
"""Seconds for which a full disk stays full."""
REFUSED_SECONDS = 15.0
"""Seconds between a refused submission and the next one."""
POLL_SECONDS = 0.25


class Course:
    """The course of one seed."""

    def __init__(self, schedule: Schedule, run: SeedRun, expected: Verdicts) -> None:
        self._run = run
        self._expected = expected
        self._kinds = [KINDS[kind] for kind in schedule.kinds]
        self._faults = schedule.make_faults(run, list(expected))
        self._local = any(kind.local for kind in self._kinds)
        self._filled = 0.0
        self._ok: set[str] = set()
        """Pairs that had a complete verdict when the last submission ended."""
        self._jobs: set[str] = set()
        """The jobs in the event log of that submission."""
        self.result = SeedResult(schedule.seed, schedule.kinds)

    def follow(self) -> SeedResult:
        """Run the seed to its end.

        Returns:
            The result.
        """
        started = time.monotonic()
        pause = "sleep 0.$(( $$ % 8 ))"
        before = "; ".join([pause, *(kind.before for kind in self._kinds if kind.before)])
        whole = any(kind.hits_final or kind.whole for kind in self._kinds)
        self._run.write_python(before, pause, whole=whole)
        for number in range(SUBMISSIONS):
            self.result.submissions = number + 1
            finished = self._submit_and_wait(last_chance=number > 0)
            self._free_disk()
            if finished:
                break
        else:
            self.result.hung += 1
            self.result.detected.append(f"not finished after {SUBMISSIONS} submissions")
        self._compare()
        self.result.happened = [fault.name for fault in self._faults if fault.done]
        self.result.seconds = round(time.monotonic() - started, 1)
        return self.result

    def _submit_and_wait(self, *, last_chance: bool) -> bool:
        """Submit once; return whether all pairs are ok and analysed afterwards."""
        if not last_chance:
            self._inject(before_submission=True)
        command = self._run.submit(local=self._local)
        deadline, seen = time.monotonic() + HUNG_SECONDS, ""
        now: RunStatus | None = None
        while True:
            self._inject(before_submission=False)
            code = command.poll()
            now = self._run.read_status() if code is not None else None
            if code is not None and self._has_ended(code, now):
                break
            if (progress := self._progress()) != seen:
                deadline, seen = time.monotonic() + HUNG_SECONDS, progress
            if time.monotonic() > deadline:
                self.result.hung += 1
                self.result.detected.append("hung")
                command.kill()
                actions.remove_dag(self._run)
                break
            time.sleep(POLL_SECONDS)
        for fault in self._faults:
            fault.confirm()
        code = command.wait()
        self._describe(code, now)
        self._count_doubled()
        # A killed schedd needs time to return.
        time.sleep(REFUSED_SECONDS if code and not self._local else 0)
        return self._is_finished()

    def _count_doubled(self) -> None:
        """Count pairs that ran again although their verdict was complete."""
        history = EventLog(self._run.run.events).nodes
        damages = any(kind.damages for kind in self._kinds)
        if not damages:
            again = (pair in history and history[pair].job not in self._jobs for pair in self._ok)
            self.result.doubled += sum(again)
        # While a disk is full, HTCondor itself runs a job again whose end it could not write to the log.
        if not damages and not any(kind.small_disk for kind in self._kinds):
            successes = self._run.count_successes()
            self.result.doubled += sum(successes[pair] > 1 for pair in self._expected)
        # A submission that was refused leaves the log of the one before.
        self._jobs = {one.job for one in history.values()}
        now = self._run.read_status()
        self._ok = {pair.id for pair in now.pairs if pair.state == "ok"} if now else set()

    def _progress(self) -> str:
        """Return a text that changes whenever something happens."""
        root = self._run.run
        paths = [root.events, root.dagman_log, self._run.submit_output, root.analysis, root.outcomes]
        # A job that runs from checkpoint to checkpoint has no event, but its output grows.
        paths += sorted(root.logs.glob("*.out"))
        return " ".join(str(path.stat().st_mtime_ns) if path.exists() else "-" for path in paths)

    def _has_ended(self, code: int, now: RunStatus | None) -> bool:
        """Return whether a submission has ended whose command ended with a code."""
        if self._local or code != 0:
            return True
        if now is not None and now.stuck:
            # The status says so, and what to type.
            actions.remove_dag(self._run)
        return not processes.find_dagman(self._run.pool, self._run.run.root) if now is None else now.ended

    def _inject(self, *, before_submission: bool) -> None:
        """Let each fault happen whose moment has come."""
        now = time.monotonic()
        for fault in self._faults:
            if fault.done or (fault.name == "full disk at submission") != before_submission:
                continue
            if not fault.due_since and fault.is_due():
                fault.due_since = now
            if fault.due_since and now >= fault.due_since + (0 if before_submission else fault.delay):
                fault.inject(now)
                if fault.done and fault.kind.small_disk:
                    self._filled = now
        if self._filled and now > self._filled + FREE_SECONDS:
            self._free_disk()

    def _free_disk(self) -> None:
        if self._filled:
            actions.free_disk(self._run)
            self._filled = 0.0

    def _is_finished(self) -> bool:
        now = self._run.read_status()
        if now is None or now.counts["ok"] < len(self._expected):
            return False
        return self._run.run.report.exists() and (self._local or now.report)

    def _describe(self, code: int, now: RunStatus | None) -> None:
        """Note what the project said about the fault."""
        said = detection.describe(self._run, code, now)
        self.result.wrong += detection.TRACEBACK in said
        self.result.detected += [text for text in said if text not in self.result.detected]

    def _compare(self) -> None:
        """Compare the verdicts with those of the undisturbed run, and count pairs that ran twice."""
        found = self._run.read_verdicts()
        self.result.lost += len(self._expected.keys() - found.keys())
        self.result.wrong += sum(
            found[pair] != self._expected[pair] for pair in found.keys() & self._expected.keys()
        )
        self.result.wrong += len(found.keys() - self._expected.keys())
        table = self._run.run.analysis / "pairs.csv"
        rows = Counter(_first_cells(table))
        self.result.doubled += sum(rows[pair] > 1 for pair in self._expected)
        if self.result.lost == 0 and self._is_finished():
            self.result.wrong += sum(rows[pair] == 0 for pair in self._expected)


def _first_cells(table: Path) -> list[str]:
    if not table.exists():
        return []
    return [line.partition(",")[0] for line in table.read_text(encoding="utf-8").splitlines()[1:]]


def run_undisturbed(run: SeedRun, seconds: float = 300.0) -> Verdicts:
    """Run the study without faults and return its verdicts.

    Raises:
        RuntimeError: The run does not succeed.
    """
    if run.submit().wait():
        raise RuntimeError(run.submit_output.read_text(encoding="utf-8"))
    deadline = time.monotonic() + seconds
    while (now := run.read_status()) is None or not now.ended:
        if time.monotonic() > deadline:
            raise RuntimeError(f"the undisturbed run does not end: {now}")
        time.sleep(POLL_SECONDS)
    pairs = [pair.id for pair in Plan.read(run.run)]
    verdicts = run.read_verdicts()
    if sorted(verdicts) != sorted(pairs):
        raise RuntimeError(f"the undisturbed run failed: {EventLog(run.run.events).nodes}")
    return verdicts
