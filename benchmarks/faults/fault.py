"""One fault of a schedule, and the properties of its kind."""

import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from alignsec.run.event_log import EventLog
from benchmarks.faults import processes
from benchmarks.faults.seed_run import SeedRun
from submit.condor.dag import FINAL_NODE

CONFIRM_SECONDS = 5.0
"""A command without an event after so long is repeated."""


@dataclass(frozen=True)
class Kind:
    """A kind of fault."""

    inject: Callable[["Fault"], bool]
    """Lets the fault happen; returns whether there was something to hit."""
    is_due: Callable[["Fault"], bool] = lambda fault: bool(fault.find_jobs())
    """Whether the fault's moment has come; by default, when its job runs."""
    event: str = ""
    """Number of the job's event that proves the fault. A command can succeed for a job that has just ended."""
    hits_final: bool = False
    """Whether its job is FINAL's, not a pair's."""
    shared: bool = False
    """Whether it hits all runs of the pool."""
    before: str = ""
    """Shell commands before the real job, for a fault inside the job's machine."""
    site: dict[str, str] = field(default_factory=dict)
    """Keys of the site."""
    damages: bool = False
    """Whether it can damage a finished outcome, so that its pair rightly runs again."""
    small_disk: bool = False
    """Whether the run folder is on a small disk."""
    local: bool = False
    """Whether the pairs run on this machine, without the pool."""
    long: bool = False
    """Whether the study has a long attack."""
    whole: bool = False
    """Whether FINAL runs the real analysis although no job of FINAL is hit."""


@dataclass
class Fault:
    """One fault of a schedule.

    Attributes:
        name: The name of its kind.
        kind: Its kind.
        run: The run that it disturbs.
        victim: The pair that it hits.
        delay: Seconds between the moment at which it is due and the moment at which it happens.
        numbers: The random numbers of the schedule.
        done: Whether it has happened. If its kind counts events, the event log shows it.
    """

    name: str
    kind: Kind
    run: SeedRun
    victim: str
    delay: float
    numbers: random.Random
    done: bool = False
    due_since: float = field(default=0.0)
    tried: str = ""
    """HTCondor's id of the job for which the command last succeeded."""
    tried_at: float = 0.0

    def is_due(self) -> bool:
        """Return whether the run is in the state that the fault waits for."""
        return self.kind.is_due(self)

    def inject(self, now: float) -> None:
        """Let the fault happen. It stays pending if there was nothing to hit.

        Args:
            now: The present time in seconds.
        """
        self.confirm()
        if self.done or (self.tried and now < self.tried_at + CONFIRM_SECONDS):
            return
        job = self.job
        if self.kind.inject(self):
            self.done = not self.kind.event
            self.tried, self.tried_at = job, now

    def confirm(self) -> None:
        """Note that the fault has happened if the event log shows it."""
        if self.tried and self.kind.event and not self.done:
            cluster, _, process = self.tried.partition(".")
            event = f"\n{self.kind.event} ({int(cluster):03}.{int(process or 0):03}."
            with suppress(FileNotFoundError):
                self.done = event in self.run.run.events.read_text(encoding="utf-8", errors="replace")

    @property
    def job(self) -> str:
        """HTCondor's id of the victim's present job; empty without one."""
        history = EventLog(self.run.run.events).nodes.get(self.node)
        return history.job if history else ""

    @property
    def node(self) -> str:
        """The DAG node that the fault hits."""
        return FINAL_NODE if self.kind.hits_final else self.victim

    def find_jobs(self) -> list[int]:
        """Return the processes of the node's job."""
        word = "aggregate" if self.kind.hits_final else self.victim
        return processes.find_jobs(self.run.python, word)

    def find_outcome(self) -> Path | None:
        """Return a finished outcome: the victim's, or else any; None before there is one."""
        found = [path for path in self.run.run.outcomes.glob("[!.]*.json") if path.stat().st_size]
        own = self.run.run.outcome(self.victim)
        return own if own in found else next(iter(sorted(found)), None)
