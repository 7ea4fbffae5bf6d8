"""HTCondor's event logs: the history of each DAG node, read without a query to the scheduler."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import htcondor2
from htcondor2 import JobEventType

JobState = Literal["idle", "running", "held", "ended", "removed"]


@dataclass(frozen=True)
class Hold:
    """One hold of a job."""

    when: int
    """Seconds since 1970, UTC."""
    code: int
    """HoldReasonCode, as listed in HTCondor's manual."""
    reason: str


@dataclass(frozen=True)
class NodeHistory:
    """The history of one DAG node: the state of its last job, and counts over all its jobs."""

    node: str
    job: str = ""
    """cluster.process of the last job."""
    state: JobState = "idle"
    since: int = 0
    """Time at which the state began, seconds since 1970, UTC."""
    host: str = ""
    """Slot on which the job runs or last ran."""
    jobs: int = 0
    """Number of submitted jobs: one, and one for each retry."""
    starts: int = 0
    evictions: int = 0
    holds: tuple[Hold, ...] = ()
    removed: str = ""
    """Reason for the removal of the last job; empty if it was not removed."""
    exit_code: int | None = None
    """Exit code of the last job; a negative value is a signal number."""
    seconds: int = 0
    """Run time of the last job, from its last start to its end."""
    memory_mb: int = 0
    """Largest memory usage."""

    @property
    def summary(self) -> str:
        """The state in one sentence, which says why there is no outcome."""
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
        ending = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        return f"its job {ending} and left no outcome"


class EventLog:
    """The node histories of one DAG's event log, such as study.dag.nodes.log. A missing log has no nodes."""

    def __init__(self, path: Path) -> None:
        self.nodes: dict[str, NodeHistory] = {}
        self.first = 0
        """Time of the first event, seconds since 1970, UTC; 0 for an empty log."""
        self.last = 0
        """Time of the last event, seconds since 1970, UTC; 0 for an empty log."""
        self._path = path
        self._node_of: dict[str, str] = {}
        self._reader: htcondor2.JobEventLog | None = None
        self.update()

    def update(self) -> None:
        """Read the events that were written since the last call.

        Raises:
            OSError: If the log cannot be read.
        """
        if self._reader is None:
            if not self._path.exists() or not self._path.stat().st_size:
                return
            self._reader = htcondor2.JobEventLog(str(self._path))
        for event in self._reader.events(stop_after=0):
            self._add(event)

    def _add(self, event: Any) -> None:  # noqa: ANN401 - the bindings have no types
        job = f"{event.cluster}.{event.proc}"
        self.first = self.first or event.timestamp
        self.last = event.timestamp
        if event.type == JobEventType.SUBMIT:
            # HTCondor 23.9 logs a note, "DAG Node: NAME", and 25.x a ClassAd. The bindings return a ClassAd for
            # both.
            self._node_of[job] = event.get("StructuredNotes", {}).get("DAGNodeName") or job
        if (node := self._node_of.get(job)) is not None:
            self.nodes[node] = _apply_event(self.nodes.get(node, NodeHistory(node)), job, event)


def find_running_cluster(path: Path) -> int | None:
    """Return the cluster of the last job of a log if it has not ended, or None.

    Args:
        path: An event log, such as that of the DAGMan job; it may not exist.

    Raises:
        OSError: If the log cannot be read.
    """
    cluster = None
    if not path.exists() or not path.stat().st_size:
        return None
    for event in htcondor2.JobEventLog(str(path)).events(stop_after=0):
        if event.type == JobEventType.SUBMIT:
            cluster = int(event.cluster)
        elif event.type in (JobEventType.JOB_TERMINATED, JobEventType.JOB_ABORTED):
            cluster = None
    return cluster


def _apply_event(before: NodeHistory, job: str, event: Any) -> NodeHistory:  # noqa: ANN401 - the bindings have no types
    """Return a node's history after one more event."""
    state: JobState | None = None
    changes: dict[str, Any] = {}
    match event.type:
        case JobEventType.SUBMIT:
            state, changes = "idle", {"job": job, "jobs": before.jobs + 1, "exit_code": None, "removed": ""}
        case JobEventType.EXECUTE:
            state, changes = "running", {"host": event.get("SlotName", ""), "starts": before.starts + 1}
        case JobEventType.JOB_EVICTED | JobEventType.JOB_RECONNECT_FAILED:
            state, changes = "idle", {"evictions": before.evictions + 1}
        case JobEventType.JOB_TERMINATED:
            normally = event.get("TerminatedNormally", False)
            code = event["ReturnValue"] if normally else -int(event.get("TerminatedBySignal", 9))
            seconds = event.timestamp - before.since if before.state == "running" else 0
            state, changes = "ended", {"exit_code": code, "seconds": seconds}
        case JobEventType.JOB_ABORTED:
            state, changes = "removed", {"removed": event.get("Reason", "removed")}
        case JobEventType.JOB_HELD:
            hold = Hold(event.timestamp, int(event.get("HoldReasonCode", 0)), event.get("HoldReason", ""))
            state, changes = "held", {"holds": (*before.holds, hold)}
        case JobEventType.JOB_RELEASED:
            state = "idle"
    if "MemoryUsage" in event.keys():  # noqa: SIM118 - the bindings' events are not mappings
        changes["memory_mb"] = max(before.memory_mb, int(event["MemoryUsage"]))
    if state is not None:
        changes |= {"state": state, "since": event.timestamp}
    return replace(before, **changes)
