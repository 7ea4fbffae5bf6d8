"""What a run is doing, from its files alone: event log, outcomes, streamed output; never from the queue."""

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
"""ok and failed: from outcome files; waiting: not yet in the queue; the rest as HTCondor's event log has them."""
TAIL_BYTES = 4096


@dataclass(frozen=True)
class PairNow:
    """One pair at this moment."""

    id: str
    state: str
    """One of STATES."""
    since: int = 0
    """Seconds since 1970, UTC; 0 where unknown."""
    host: str = ""
    job: str = ""
    images_done: int = 0
    images: int = 0
    """Images times budgets."""
    seconds_left: int | None = None
    """At most, as its job last said; None where it said nothing."""
    tries: int = 0
    evictions: int = 0
    reason: str = ""


@dataclass(frozen=True)
class RunStatus:
    """A whole run at this moment."""

    name: str
    dag: str
    """not submitted, running as job N, or ended."""
    now: int
    started: int
    """Seconds since 1970, UTC: of this look, and of the first event; 0 where there is none yet."""
    pairs: list[PairNow]
    counts: dict[str, int] = field(default_factory=dict)
    """How many pairs are in each state, every state named."""
    pairs_per_hour: float = 0.0
    seconds_left: int | None = None
    """At the rate so far; None before a pair has ended, and when none is left."""

    def as_json(self) -> dict[str, Any]:
        """For programs: plain numbers and strings."""
        return asdict(self)

    @property
    def over(self) -> bool:
        """Whether nothing more will happen by itself."""
        return self.dag == "ended"


class Watch:
    """Reads a run's files again and again, each time only what is new."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self.plan = Plan.read(folder)
        self._events = EventLog(folder.events)
        self._known: dict[str, tuple[int, str, str]] = {}

    def look(self) -> RunStatus:
        """The run as it is now. Raises OSError if its files cannot be read."""
        self._events.update()
        pairs = [self._pair(pair) for pair in self.plan]
        counts = Counter(pair.state for pair in pairs)
        now = int(time.time())
        started = self._events.first
        over = counts["ok"] + counts["failed"] + counts["removed"]
        ended_here = sum(1 for pair in pairs if pair.state in ("ok", "failed") and pair.tries)
        rate = ended_here / max(1, (self._events.last or now) - started) if started else 0.0
        left = len(pairs) - over
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
        cluster = event_log.unfinished_cluster(log)
        if cluster is not None:
            return f"running as job {cluster}"
        return "ended" if log.exists() else "not submitted"

    def _pair(self, pair: Pair) -> PairNow:
        history = self._events.nodes.get(pair.id)
        images = self.plan.image_count * len(pair.attack.budgets)
        in_queue = history is not None and history.state in ("running", "idle", "held")
        state, reason = ("", "") if in_queue else self._outcome(pair)
        if state in ("ok", "failed"):
            tries = history.jobs if history else 0
            return PairNow(pair.id, state, reason=reason, images_done=images, images=images, tries=tries)
        if history is None:
            return PairNow(pair.id, "waiting", images=images)
        return self._in_queue(pair, history, images)

    def _in_queue(self, pair: Pair, history: NodeHistory, images: int) -> PairNow:
        said = self._said(pair.id) if history.state == "running" else None
        state = "failed" if history.state == "ended" else history.state
        return PairNow(
            id=pair.id,
            state=state,
            since=history.since,
            host=history.host if history.state == "running" else "",
            job=history.job,
            images_done=said.done if said else 0,
            images=images,
            seconds_left=said.seconds_left if said else None,
            tries=history.jobs,
            evictions=history.evictions,
            reason=history.story if state in ("held", "removed", "failed") else "",
        )

    def _outcome(self, pair: Pair) -> tuple[str, str]:
        """State and reason by the outcome file, read again only when it has changed."""
        path = self._folder.outcome(pair.id)
        try:
            changed = path.stat().st_mtime_ns
        except FileNotFoundError:
            return "missing", ""
        if pair.id not in self._known or self._known[pair.id][0] != changed:
            found = status.pair_status(pair, path)
            self._known[pair.id] = (changed, found.state, found.reason)
        return self._known[pair.id][1:]

    def _said(self, pair_id: str) -> Progress | None:
        """The last progress a running job printed, where its output is streamed."""
        return last_progress(self._folder.output(pair_id))


def last_progress(path: Path) -> Progress | None:
    """The last progress line near the end of a job's output; None where there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
    except FileNotFoundError:
        return None
    return next((found for line in reversed(lines) if (found := Progress.read(line))), None)
