"""Status of a run, read from its files: event log, outcomes and streamed output. The queue is never queried."""

import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from alignsec.run import event_log, status
from alignsec.run.event_log import EventLog, NodeHistory
from alignsec.run.folder import RunFolder
from alignsec.run.plan import Plan
from alignsec.run.progress import Progress
from alignsec.spec.pair import Pair

STATES = ("ok", "failed", "running", "held", "idle", "removed", "waiting")
"""ok and failed come from outcome files; waiting means not yet in the queue; the others come from HTCondor's event
log. A job that ended without an outcome counts as failed."""
TAIL_BYTES = 4096


@dataclass(frozen=True)
class PairSnapshot:
    """One pair at the time of the snapshot."""

    id: str
    state: str
    """One of STATES."""
    since: int = 0
    """When the state began, in seconds since 1970, UTC; 0 if unknown."""
    host: str = ""
    """Where the job runs; empty if it does not."""
    job: str = ""
    """HTCondor's id of the job."""
    images_done: int = 0
    images: int = 0
    """Images times budgets."""
    seconds_left: int | None = None
    """Upper bound that the job last printed; None if it printed none."""
    tries: int = 0
    """Jobs of the pair so far."""
    evictions: int = 0
    reason: str = ""
    """Why the pair failed or its job is held or was removed."""


@dataclass(frozen=True)
class RunStatus:
    """A run at the time of the snapshot."""

    name: str
    dag: str
    """One of "not submitted", "running as job N" and "ended"."""
    now: int
    """Time of the snapshot, in seconds since 1970, UTC."""
    started: int
    """Time of the first event, in seconds since 1970, UTC; 0 before it."""
    pairs: list[PairSnapshot]
    counts: dict[str, int] = field(default_factory=dict)
    """Number of pairs in each of STATES."""
    pairs_per_hour: float = 0.0
    seconds_left: int | None = None
    """Estimate from the rate so far; None before the first pair has ended, and when no pair is left."""

    def as_dict(self) -> dict[str, Any]:
        """Return the status as plain dictionaries, lists, numbers and strings."""
        return asdict(self)

    @property
    def ended(self) -> bool:
        """True if the DAG has ended."""
        return self.dag == "ended"


class RunMonitor:
    """Reads a run's files repeatedly, each time only what is new.

    Args:
        folder: The run folder.

    Raises:
        ConfigErrors: The folder is not a run folder.
    """

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self.plan = Plan.read(folder)
        self._events = EventLog(folder.events)
        self._outcomes: dict[str, tuple[int, str, str]] = {}

    def read(self) -> RunStatus:
        """Return the present status.

        Raises:
            OSError: A file cannot be read.
        """
        self._events.update()
        pairs = [self._pair(pair) for pair in self.plan]
        counts = Counter(pair.state for pair in pairs)
        now = int(time.time())
        started = self._events.first
        left = len(pairs) - counts["ok"] - counts["failed"] - counts["removed"]
        # Pairs that had results before this submission have no tries, and do not count for the rate.
        ended = sum(1 for pair in pairs if pair.state in ("ok", "failed") and pair.tries)
        rate = ended / max(1, (self._events.last or now) - started) if started else 0.0
        return RunStatus(
            name=self.plan.name,
            dag=self._dag(),
            now=now,
            started=started,
            pairs=pairs,
            counts={state: counts[state] for state in STATES},
            pairs_per_hour=round(3600 * rate, 1),
            seconds_left=round(left / rate) if rate and left else None,
        )

    def _dag(self) -> str:
        log = self._folder.dagman_log
        cluster = event_log.find_running_cluster(log)
        if cluster is not None:
            return f"running as job {cluster}"
        return "ended" if log.exists() else "not submitted"

    def _pair(self, pair: Pair) -> PairSnapshot:
        history = self._events.nodes.get(pair.id)
        images = self.plan.image_count * len(pair.attack.budgets)
        in_queue = history is not None and history.state in ("running", "idle", "held")
        state, reason = ("", "") if in_queue else self._outcome(pair)
        if state in ("ok", "failed"):
            tries = history.jobs if history else 0
            return PairSnapshot(pair.id, state, reason=reason, images_done=images, images=images, tries=tries)
        if history is None:
            return PairSnapshot(pair.id, "waiting", images=images)
        return self._without_outcome(pair, history, images)

    def _without_outcome(self, pair: Pair, history: NodeHistory, images: int) -> PairSnapshot:
        """Return the snapshot of a pair whose job is in the queue or left no outcome."""
        running = history.state == "running"
        progress = last_progress(self._folder.output(pair.id)) if running else None
        state = "failed" if history.state == "ended" else history.state
        return PairSnapshot(
            id=pair.id,
            state=state,
            since=history.since,
            host=history.host if running else "",
            job=history.job,
            images_done=progress.done if progress else 0,
            images=images,
            seconds_left=progress.seconds_left if progress else None,
            tries=history.jobs,
            evictions=history.evictions,
            reason=history.summary if state in ("held", "removed", "failed") else "",
        )

    def _outcome(self, pair: Pair) -> tuple[str, str]:
        """Return state and reason from the outcome file, which is read again only after a change."""
        path = self._folder.outcome(pair.id)
        try:
            changed = path.stat().st_mtime_ns
        except FileNotFoundError:
            return "missing", ""
        if pair.id not in self._outcomes or self._outcomes[pair.id][0] != changed:
            found = status.read_pair_status(pair, path)
            self._outcomes[pair.id] = (changed, found.state, found.reason)
        return self._outcomes[pair.id][1:]


def last_progress(path: Path) -> Progress | None:
    """Return the last progress line near the end of a job's streamed output, or None if there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
    except FileNotFoundError:
        return None
    return next((found for line in reversed(lines) if (found := Progress.read(line))), None)
