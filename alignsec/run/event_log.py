"""Event logs: what HTCondor wrote down of each job, read without asking the queue."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import htcondor2
from htcondor2 import JobEventType

JobState = Literal["idle", "running", "held", "ended", "removed"]


@dataclass(frozen=True)
class Hold:
    """One time a job was held."""

    when: int
    """Seconds since 1970, UTC."""
    code: int
    """HoldReasonCode of the manual's table."""
    reason: str


@dataclass(frozen=True)
class NodeHistory:
    """What became of one DAG node: all the jobs it was tried as, the last one's state."""

    node: str
    job: str = ""
    """cluster.process of its last job."""
    state: JobState = "idle"
    since: int = 0
    """When that state began, seconds since 1970, UTC."""
    host: str = ""
    """Where it runs or last ran, as the slot's name."""
    jobs: int = 0
    """Jobs submitted: one and its retries."""
    starts: int = 0
    evictions: int = 0
    holds: tuple[Hold, ...] = ()
    removed: str = ""
    """Why its last job was removed; empty if it was not."""
    exit_code: int | None = None
    """Of its last job; negative is a signal."""
    seconds: int = 0
    """From the last start to the end of the last job."""
    memory_mb: int = 0
    """Most memory used."""

    @property
    def story(self) -> str:
        """What happened, in a sentence: why there is no outcome, or what stood in its way."""
        held = f"held ({self.holds[-1].reason})" if self.holds else ""
        match self.state:
            case "removed":
                return f"{held}, then removed ({self.removed})" if held else f"removed ({self.removed})"
            case "held":
                return held
            case "running":
                return f"running on {self.host}"
            case "idle":
                return "waiting for a machine"
        code = self.exit_code or 0
        how = f"killed by signal {-code}" if code < 0 else f"exit code {code}"
        return f"its job ended, {how}, and left no outcome"


class EventLog:
    """The nodes of one DAG's log, such as study.dag.nodes.log. One that is not there is empty."""

    def __init__(self, path: Path) -> None:
        self.nodes: dict[str, NodeHistory] = {}
        self.first = 0
        """Time of the first event, seconds since 1970, UTC; 0 for an empty log."""
        self.last = 0
        self._path = path
        self._node_of: dict[str, str] = {}
        self._reader: htcondor2.JobEventLog | None = None
        self.update()

    def update(self) -> None:
        """Read what was written since the last time. Raises OSError if the log cannot be read."""
        if self._reader is None:
            if not self._path.exists() or not self._path.stat().st_size:
                return
            self._reader = htcondor2.JobEventLog(str(self._path))
        for event in self._reader.events(stop_after=0):
            self._take(event)

    def _take(self, event: Any) -> None:  # noqa: ANN401 - the bindings have no types
        job = f"{event.cluster}.{event.proc}"
        self.first = self.first or event.timestamp
        self.last = event.timestamp
        if event.type == JobEventType.SUBMIT:
            # 23.9 logs a note, "DAG Node: NAME"; 25.x a ClassAd. The bindings make a ClassAd of both.
            self._node_of[job] = event.get("StructuredNotes", {}).get("DAGNodeName") or job
        if (node := self._node_of.get(job)) is not None:
            self.nodes[node] = _after(self.nodes.get(node, NodeHistory(node)), job, event)


def find_running_cluster(path: Path) -> int | None:
    """The cluster of the last job in a log that was submitted and has not ended, or None."""
    cluster = None
    if not path.exists() or not path.stat().st_size:
        return None
    for event in htcondor2.JobEventLog(str(path)).events(stop_after=0):
        if event.type == JobEventType.SUBMIT:
            cluster = int(event.cluster)
        elif event.type in (JobEventType.JOB_TERMINATED, JobEventType.JOB_ABORTED):
            cluster = None
    return cluster


def _after(before: NodeHistory, job: str, event: Any) -> NodeHistory:  # noqa: ANN401 - the bindings have no types
    """A node's history with one more event."""
    state: JobState | None = None
    more: dict[str, Any] = {}
    match event.type:
        case JobEventType.SUBMIT:
            state, more = "idle", {"job": job, "jobs": before.jobs + 1, "exit_code": None, "removed": ""}
        case JobEventType.EXECUTE:
            state, more = "running", {"host": event.get("SlotName", ""), "starts": before.starts + 1}
        case JobEventType.JOB_EVICTED | JobEventType.JOB_RECONNECT_FAILED:
            state, more = "idle", {"evictions": before.evictions + 1}
        case JobEventType.JOB_TERMINATED:
            normally = event.get("TerminatedNormally", False)
            code = event["ReturnValue"] if normally else -int(event.get("TerminatedBySignal", 9))
            seconds = event.timestamp - before.since if before.state == "running" else 0
            state, more = "ended", {"exit_code": code, "seconds": seconds}
        case JobEventType.JOB_ABORTED:
            state, more = "removed", {"removed": event.get("Reason", "removed")}
        case JobEventType.JOB_HELD:
            hold = Hold(event.timestamp, int(event.get("HoldReasonCode", 0)), event.get("HoldReason", ""))
            state, more = "held", {"holds": (*before.holds, hold)}
        case JobEventType.JOB_RELEASED:
            state = "idle"
    if "MemoryUsage" in event.keys():  # noqa: SIM118 - the bindings' events are no mappings
        more["memory_mb"] = max(before.memory_mb, int(event["MemoryUsage"]))
    if state is not None:
        more |= {"state": state, "since": event.timestamp}
    return replace(before, **more)
