"""HTCondor's event logs: the history of each DAG node, read without a query to the scheduler."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from alignsec.run import event_cache, exit_code
from alignsec.run.event_cache import Histories
from alignsec.run.event_reader import Event, EventReader, EventType
from alignsec.run.node_history import Hold, NodeHistory

_MAX_DIGITS = 19
_MUCH_BYTES = 4_000_000
"""Growth of the log after which the cache is written again. Reading less takes a tenth of a second."""


class EventLog:
    """The node histories of one DAG's event log, such as study.dag.nodes.log. A missing log has no nodes.

    Args:
        path: The log.
        cache: A file that keeps the histories and the position in the log from one command to the next. It is
            written by `save`, and ignored if it is damaged or of another log.
    """

    def __init__(self, path: Path, cache: Path | None = None) -> None:
        self.nodes: dict[str, NodeHistory] = {}
        self.first = 0
        """Time of the first event, seconds since 1970, UTC; 0 for an empty log."""
        self.last = 0
        """Time of the last event, seconds since 1970, UTC; 0 for an empty log."""
        self._path = path
        self._node_of: dict[str, str] = {}
        self._reader = EventReader(path)
        self._cache = cache
        if cache is not None and (found := event_cache.read(cache)):
            self._reader.position = found.position
            self.first, self.last, self.nodes = found.first, found.last, found.nodes
            self._node_of = {history.job: node for node, history in self.nodes.items()}
        self._saved = self._reader.position.offset
        self.update()

    def update(self) -> None:
        """Read the events that were written since the last call.

        Raises:
            OSError: If the log cannot be read.
        """
        if self._reader.is_replaced():
            self.nodes.clear()
            self._node_of.clear()
            self.first = self.last = 0
        for event in self._reader.read_new():
            self._add(event)

    def save(self) -> None:
        """Write the cache if much of the log was read since. A folder that cannot be written is left as it is."""
        position = self._reader.position
        if self._cache is None or position.offset - self._saved < _MUCH_BYTES:
            return
        event_cache.write(self._cache, Histories(position, self.first, self.last, self.nodes))
        self._saved = position.offset

    @property
    def warning(self) -> str:
        """A sentence about damage to the log; empty if there is none."""
        count = self._reader.damaged
        if not count:
            has_nul = self._reader.position.has_nul
            return (
                f"{self._path.name}: has NUL bytes, as a full disk leaves them; all events were read"
                if has_nul
                else ""
            )
        return (
            f"{self._path.name}: {count} damaged {'event was' if count == 1 else 'events were'} skipped; "
            "tries, holds and evictions may be incomplete"
        )

    def _add(self, event: Event) -> None:
        self.first = self.first or event.timestamp
        self.last = event.timestamp
        if event.type == EventType.SUBMIT:
            self._node_of[event.job] = event.fields.get("Node") or event.fields.get("NodeName") or event.job
        if (node := self._node_of.get(event.job)) is not None:
            history = self.nodes.get(node)
            if history is None:
                history = self.nodes[node] = NodeHistory(node)
            _apply_event(history, event)


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
    for event in EventReader(path).read_new():
        if event.type == EventType.SUBMIT:
            job = LastJob(int(event.job.partition(".")[0]), event.timestamp, ended=False)
        elif (
            event.type in (EventType.JOB_TERMINATED, EventType.JOB_ABORTED)
            and job is not None
            and event.job.partition(".")[0] == str(job.cluster)
        ):
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


def _apply_event(history: NodeHistory, event: Event) -> None:
    """Change a node's history by one more event."""
    before, fields = history.state, event.fields
    match event.type:
        case EventType.SUBMIT:
            history.state, history.job, history.jobs = "idle", event.job, history.jobs + 1
            history.exit_code, history.removed = None, ""
        case EventType.EXECUTE:
            history.state, history.host, history.starts = (
                "running",
                _text(fields, "SlotName", ""),
                history.starts + 1,
            )
        case EventType.JOB_EVICTED | EventType.JOB_RECONNECT_FAILED:
            # HTCondor 25 also writes it for a job that is held while its inputs are transferred.
            history.state, history.evictions = "idle", history.evictions + (before == "running")
        case EventType.JOB_TERMINATED if before == "ended":
            return  # If the schedd is killed, HTCondor can log one end twice.
        case EventType.JOB_TERMINATED:
            normally = "ReturnValue" in fields
            code = _integer(fields, "ReturnValue", 1) if normally else -_integer(fields, "TerminatedBySignal", 9)
            history.state, history.exit_code = "ended", code
            history.seconds = event.timestamp - history.since if before == "running" else 0
            if code not in (exit_code.DONE, exit_code.PERMANENT_FAILURE, exit_code.CHECKPOINT):
                history.failed_hosts = (*history.failed_hosts, history.host)
        case EventType.JOB_ABORTED:
            history.state, history.removed = "removed", _text(fields, "Reason", "removed")
        case EventType.JOB_HELD:
            reason = _text(fields, "HoldReason", "no reason given")
            hold = Hold(event.timestamp, _integer(fields, "HoldReasonCode", 0), reason)
            history.state, history.holds = "held", (*history.holds, hold)
        case EventType.JOB_RELEASED:
            history.state = "idle"
        case EventType.IMAGE_SIZE:
            history.memory_mb = max(history.memory_mb, _integer(fields, "MemoryUsage", 0))
            return
        case _:
            return
    history.since = event.timestamp
    if "MemoryUsage" in fields:
        history.memory_mb = max(history.memory_mb, _integer(fields, "MemoryUsage", 0))


def _integer(fields: Mapping[str, str], name: str, default: int) -> int:
    """Return a number of an event; the default if it is missing or has too many digits."""
    value = fields.get(name, "")
    return int(value) if 0 < len(value) < _MAX_DIGITS else default


def _text(fields: Mapping[str, str], name: str, default: str) -> str:
    """Return a text of an event in one line; the default if it is missing."""
    return " ".join(fields.get(name, "").split()) or default
