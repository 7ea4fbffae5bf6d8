"""HTCondor's event logs: the history of each DAG node, read without a query to the scheduler."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from htcondor2 import JobEventType

from alignsec.run import exit_code
from alignsec.run.event_reader import EventReader

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
    failed_hosts: tuple[str, ...] = ()
    """Slots on which a job of the node ended by a signal or with the exit code of a temporary failure."""

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
        where = f" on {self.host}" if self.host else ""
        return f"its job {ending}{where} and left no outcome"


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
        self._reader = EventReader(path)
        self.update()

    def update(self) -> None:
        """Read the events that were written since the last call.

        Raises:
            OSError: If the log cannot be read.
        """
        events, restarted = self._reader.read_new()
        if restarted:
            self.nodes.clear()
            self._node_of.clear()
            self.first = self.last = 0
        for event in events:
            self._add(event)

    @property
    def warning(self) -> str:
        """A sentence about damaged events; empty if there are none."""
        if not self._reader.damaged:
            return ""
        count = self._reader.damaged
        return (
            f"{self._path.name}: {count} damaged {'event was' if count == 1 else 'events were'} skipped; "
            "tries, holds and evictions may be incomplete"
        )

    def _add(self, event: Any) -> None:  # noqa: ANN401 - the bindings have no types
        job = f"{event.cluster}.{event.proc}"
        self.first = self.first or event.timestamp
        self.last = event.timestamp
        if event.type == JobEventType.SUBMIT:
            # HTCondor 23.9 logs a note, "DAG Node: NAME", and 25.x a ClassAd. The bindings return a ClassAd for
            # both.
            notes = event.get("StructuredNotes", None)
            name = notes.get("DAGNodeName", None) if hasattr(notes, "get") else None
            self._node_of[job] = name if isinstance(name, str) and name else job
        if (node := self._node_of.get(job)) is not None:
            self.nodes[node] = _apply_event(self.nodes.get(node, NodeHistory(node)), job, event)


@dataclass(frozen=True)
class LastJob:
    """The last job of a log."""

    cluster: int
    submitted: int
    """Seconds since 1970, UTC."""
    ended: bool


def find_last_job(path: Path) -> LastJob | None:
    """Return the last job of a log, or None.

    Args:
        path: An event log, such as that of the DAGMan job; it may not exist.

    Raises:
        OSError: If the log cannot be read.
    """
    job = None
    for event in EventReader(path).read_new()[0]:
        if event.type == JobEventType.SUBMIT:
            job = LastJob(int(event.cluster), int(event.timestamp), ended=False)
        elif event.type in (JobEventType.JOB_TERMINATED, JobEventType.JOB_ABORTED) and job is not None:
            job = replace(job, ended=True)
    return job


def find_running_cluster(path: Path) -> int | None:
    """Return the cluster of the last job of a log if it has not ended, or None.

    Args:
        path: An event log, such as that of the DAGMan job; it may not exist.

    Raises:
        OSError: If the log cannot be read.
    """
    job = find_last_job(path)
    return None if job is None or job.ended else job.cluster


def _apply_event(before: NodeHistory, job: str, event: Any) -> NodeHistory:  # noqa: ANN401 - the bindings have no types
    """Return a node's history after one more event."""
    state: JobState | None = None
    changes: dict[str, Any] = {}
    match event.type:
        case JobEventType.SUBMIT:
            state, changes = "idle", {"job": job, "jobs": before.jobs + 1, "exit_code": None, "removed": ""}
        case JobEventType.EXECUTE:
            state, changes = "running", {"host": _text(event, "SlotName", ""), "starts": before.starts + 1}
        case JobEventType.JOB_EVICTED | JobEventType.JOB_RECONNECT_FAILED:
            state, changes = "idle", {"evictions": before.evictions + 1}
        case JobEventType.JOB_TERMINATED:
            normally = event.get("TerminatedNormally", False)
            code = _integer(event, "ReturnValue", 1) if normally else -_integer(event, "TerminatedBySignal", 9)
            seconds = event.timestamp - before.since if before.state == "running" else 0
            state, changes = "ended", {"exit_code": code, "seconds": seconds}
            if code not in (exit_code.DONE, exit_code.PERMANENT_FAILURE, exit_code.CHECKPOINT):
                changes["failed_hosts"] = (*before.failed_hosts, before.host)
        case JobEventType.JOB_ABORTED:
            state, changes = "removed", {"removed": _text(event, "Reason", "removed")}
        case JobEventType.JOB_HELD:
            reason = _text(event, "HoldReason", "no reason given")
            hold = Hold(event.timestamp, _integer(event, "HoldReasonCode", 0), reason)
            state, changes = "held", {"holds": (*before.holds, hold)}
        case JobEventType.JOB_RELEASED:
            state = "idle"
    if "MemoryUsage" in event.keys():  # noqa: SIM118 - the bindings' events are not mappings
        changes["memory_mb"] = max(before.memory_mb, _integer(event, "MemoryUsage", 0))
    if state is not None:
        changes |= {"state": state, "since": event.timestamp}
    return replace(before, **changes)


def _integer(event: Any, name: str, default: int) -> int:  # noqa: ANN401 - the bindings have no types
    """Return a number of an event; the default if it is missing or is no number."""
    value = event.get(name, default)
    return int(value) if isinstance(value, int | float) and abs(value) < 2**62 else default


def _text(event: Any, name: str, default: str) -> str:  # noqa: ANN401 - the bindings have no types
    """Return a text of an event in one line; the default if it is missing or is no text."""
    value = event.get(name, default)
    return " ".join(value.split()) if isinstance(value, str) and value.strip() else default
