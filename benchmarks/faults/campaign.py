"""The course of one seed: submit, let its faults happen, submit again until all pairs are ok, and compare."""

import random
import re
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from alignsec.run.event_log import EventLog
from alignsec.run.plan import Plan
from benchmarks.faults import actions, processes
from benchmarks.faults.fault import Fault
from benchmarks.faults.kinds import KINDS, TERM
from benchmarks.faults.seed_run import SeedRun, Verdicts
from submit.monitor.run_status import RunStatus

SUBMISSIONS = 6
"""Most submissions of a seed."""
HUNG_SECONDS = 300.0
"""A run without any new event or outcome for so long is hung. The machine may be busy with other work."""
FREE_SECONDS = 6.0
"""Seconds for which a full disk stays full."""
POLL_SECONDS = 0.25
DOUBLE_EVERY = 4
"""Each fourth seed has two faults."""


@dataclass(frozen=True)
class Schedule:
    """The faults of one seed; the same seed always gives the same schedule."""

    seed: int
    kinds: tuple[str, ...]

    @classmethod
    def from_seed(cls, seed: int, kinds: tuple[str, ...] = tuple(KINDS)) -> "Schedule":
        """Return the schedule of a seed: successive seeds have successive kinds, and each fourth a second one."""
        first = kinds[seed % len(kinds)]
        chosen = [first]
        if seed % DOUBLE_EVERY == DOUBLE_EVERY - 1:
            numbers = random.Random(f"second {seed}")  # noqa: S311 - a schedule, not a secret
            alike = [k for k in kinds if k != first and KINDS[k].local == KINDS[first].local]
            alike = [k for k in alike if KINDS[k].long == KINDS[first].long] or alike[:0]
            chosen += numbers.sample(alike, min(1, len(alike)))
        return cls(seed, tuple(chosen))

    @property
    def shared(self) -> bool:
        """Whether a fault hits all runs of the pool."""
        return any(KINDS[kind].shared for kind in self.kinds)

    def make_faults(self, run: SeedRun, pairs: list[str]) -> list[Fault]:
        """Return the faults with their victims and delays."""
        made = []
        for number, kind in enumerate(self.kinds):
            numbers = random.Random(f"{self.seed} {number}")  # noqa: S311
            victim, delay = numbers.choice(sorted(pairs)), numbers.choice((0.0, numbers.uniform(0, 1.5)))
            made.append(Fault(kind, KINDS[kind], run, victim, delay, numbers))
        return made


@dataclass
class SeedResult:
    """What happened to one seed."""

    seed: int
    kinds: tuple[str, ...]
    happened: list[str] = field(default_factory=list)
    """The faults that found something to hit."""
    detected: list[str] = field(default_factory=list)
    """What the project said about them."""
    submissions: int = 0
    lost: int = 0
    """Pairs without a verdict at the end."""
    doubled: int = 0
    """Pairs that ran again although their verdict was complete, or that the analysis counts twice."""
    wrong: int = 0
    """Verdicts that differ from those of the undisturbed run, and untrue reports."""
    hung: int = 0
    seconds: float = 0.0

    @property
    def outcome(self) -> str:
        """The end in a few words."""
        bad = [name for name in ("lost", "doubled", "wrong", "hung") if getattr(self, name)]
        times = "1 submission" if self.submissions == 1 else f"{self.submissions} submissions"
        return f"{', '.join(bad)} after {times}" if bad else f"same verdicts after {times}"

    def as_dict(self) -> dict[str, Any]:
        """Return the result as plain values."""
        return {**asdict(self), "outcome": self.outcome}


class Course:
    """The course of one seed."""

    def __init__(self, schedule: Schedule, run: SeedRun, expected: Verdicts) -> None:
        self._run = run
        self._expected = expected
        self._kinds = [KINDS[kind] for kind in schedule.kinds]
        self._faults = schedule.make_faults(run, list(expected))
        self._local = any(kind.local for kind in self._kinds)
        self._filled = 0.0
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
            if code is not None and (self._local or code != 0 or (now is not None and now.ended)):
                break
            if code is not None and now is None and self._has_dagman_ended():
                break
            if (progress := self._progress()) != seen:
                deadline, seen = time.monotonic() + HUNG_SECONDS, progress
            if time.monotonic() > deadline:
                self.result.hung += 1
                self._note("hung")
                command.kill()
                processes.send_signal(processes.find_dagman(self._run.pool, self._run.run.root), TERM)
                break
            time.sleep(POLL_SECONDS)
        self._describe(command.wait(), now)
        return self._is_finished()

    def _progress(self) -> str:
        """Return a text that changes whenever something happens."""
        root = self._run.run
        paths = (root.events, root.dagman_log, self._run.submit_output, root.analysis, root.outcomes)
        return " ".join(str(path.stat().st_mtime_ns) if path.exists() else "-" for path in paths)

    def _has_dagman_ended(self) -> bool:
        return not processes.find_dagman(self._run.pool, self._run.run.root)

    def _inject(self, *, before_submission: bool) -> None:
        """Let each fault happen whose moment has come."""
        now = time.monotonic()
        for fault in self._faults:
            if fault.done or (fault.name == "full disk at submission") != before_submission:
                continue
            if not fault.due_since and fault.is_due():
                fault.due_since = now
            if fault.due_since and now >= fault.due_since + (0 if before_submission else fault.delay):
                fault.inject()
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

    def _note(self, text: str) -> None:
        text = re.sub(r"/[\w./-]+", "PATH", " ".join(text.split()))
        text = re.sub(r"\b[0-9a-f]{12,64}\b|\d+", "N", text)[:160]
        if text not in self.result.detected:
            self.result.detected.append(text)

    def _describe(self, code: int, now: RunStatus | None) -> None:
        """Note what the project said about the fault."""
        if code:
            lines = self._run.submit_output.read_text(encoding="utf-8", errors="replace").splitlines()
            said = [line for line in lines if line.strip()]
            self._note(f"submit ended with {code}: {said[-1] if said else 'no output'}")
            if "Traceback (most recent call last):" in lines:
                self.result.wrong += 1
                self._note("traceback")
        if now is None:
            return
        for pair in now.pairs:
            if pair.reason:
                self._note(f"{pair.state}: {pair.reason}".replace(pair.id, "PAIR"))
            if pair.evictions:
                self._note("evicted, ran again")
            if pair.tries > 1 and pair.state == "ok":
                self._note("retried")
        if now.final and now.final != "done":
            self._note(f"analysis: {now.final}")
        for note in now.notes:
            self._note(note)

    def _compare(self) -> None:
        """Compare the verdicts with those of the undisturbed run, and count pairs that ran twice."""
        found = self._run.read_verdicts()
        self.result.lost += len(self._expected.keys() - found.keys())
        self.result.wrong += sum(
            found[pair] != self._expected[pair] for pair in found.keys() & self._expected.keys()
        )
        self.result.wrong += len(found.keys() - self._expected.keys())
        if not any(kind.damages or kind.small_disk for kind in self._kinds):
            successes = self._run.count_successes()
            self.result.doubled += sum(successes[pair] > 1 for pair in self._expected)
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
