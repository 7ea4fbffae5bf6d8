"""Reads an HTCondor event log event by event, also a damaged one.

HTCondor's bindings raise at the first event that they cannot parse, or stop there without an error, and wait a
second each time. A full disk leaves a half-written event in the log, and one such event must not hide all later
ones. If a log has complete events that the bindings do not return, this reader parses its text itself and skips
what is damaged.

Reference: HTCondor manual, "Job Event Log Codes".
"""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import htcondor2
from htcondor2 import JobEventType

_ERRORS = (htcondor2.HTCondorException, ValueError, LookupError, TypeError, RuntimeError, OSError)
_END = re.compile(rb"^\.\.\.[ \t]*\r?\n", re.MULTILINE)
_HEADER = re.compile(rb"(?<!\d)\d{3} \(\d{1,18}\.\d{3,9}\.\d{3,9}\) \d{4}-\d\d-\d\d")
"""Start of an event; behind a cut event also in the middle of a line."""
_FIRST_LINE = re.compile(r"(\d{3}) \((\d+)\.(\d+)\.\d+\) (\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.\d+)?(Z?)")
_KNOWN = frozenset(int(kind) for kind in JobEventType.__members__.values())
_FIELDS = {
    JobEventType.EXECUTE: {"SlotName": r"^\tSlotName: (.+)$"},
    JobEventType.IMAGE_SIZE: {"MemoryUsage": r"^\t(\d+) +- +MemoryUsage of job"},
    JobEventType.JOB_TERMINATED: {
        "ReturnValue": r"Normal termination \(return value (-?\d+)\)",
        "TerminatedBySignal": r"Abnormal termination \(signal (\d+)\)",
    },
    JobEventType.JOB_ABORTED: {"Reason": r"\n\t(.+)$"},
    JobEventType.JOB_HELD: {"HoldReason": r"\n\t(.+)$", "HoldReasonCode": r"^\tCode (\d+) Subcode"},
}
_NODE_NAME = re.compile(r'DAG Node: (\S+)|DAGNodeName = "([^"\n]+)"')


@dataclass(frozen=True)
class PlainEvent:
    """An event that was parsed without the bindings; it has the part of their interface that `event_log` uses."""

    type: JobEventType
    cluster: int
    proc: int
    timestamp: int
    fields: dict[str, Any] = field(default_factory=dict)

    def get(self, name: str, default: Any = None) -> Any:  # noqa: ANN401 - as the bindings' events
        """Return a field, or the default if the event does not have it."""
        return self.fields.get(name, default)

    def keys(self) -> list[str]:
        """Return the names of the fields."""
        return list(self.fields)


class EventReader:
    """The events of one log.

    Attributes:
        damaged: Number of events that were skipped so far.
    """

    def __init__(self, path: Path) -> None:
        self.damaged = 0
        self._path = path
        self._reader: htcondor2.JobEventLog | None = None
        self._seen = 0
        self._complete = 0
        self._counted_bytes = 0
        self._parsed_bytes: int | None = None

    def read_new(self) -> tuple[list[Any], bool]:
        """Return the events that were written since the last call; a missing log has none.

        Returns:
            The events, and whether they start again at the beginning of the log. They do once damage is found, and
            after each growth of a damaged log; the caller then forgets the earlier events.

        Raises:
            OSError: The log cannot be read.
        """
        if not self._path.exists() or not self._path.stat().st_size:
            return [], False
        if self._parsed_bytes is None:
            self._count_complete()
            events = []
            try:
                if self._reader is None:
                    self._reader = htcondor2.JobEventLog(str(self._path))
                for event in self._reader.events(stop_after=0):
                    self._seen += 1
                    if event["EventTypeNumber"] in _KNOWN:
                        events.append(event)
                    else:
                        self.damaged += 1
                if self._seen >= self._complete:
                    return events, False
            except _ERRORS:
                self._path.open("rb").close()  # raises if the log itself cannot be opened
        return self._parse_text()

    def _count_complete(self) -> None:
        """Count the ends of events, before the bindings read: events that are written meanwhile are not missed."""
        with self._path.open("rb") as file:
            file.seek(self._counted_bytes)
            data = file.read()
        last = data.rfind(b"\n...\n")
        if last >= 0:
            self._complete += data.count(b"\n...\n")
            self._counted_bytes += last + 4  # the newline after the dots can start the next end

    def _parse_text(self) -> tuple[list[Any], bool]:
        """Return the undamaged events of the whole log if it has grown."""
        data = self._path.read_bytes()
        if len(data) == self._parsed_bytes:
            return [], False
        self._parsed_bytes = len(data)
        texts, self.damaged = split_events(data)
        events = [event for text in texts if (event := parse_event(text))]
        self.damaged += len(texts) - len(events)
        return events, True


def split_events(data: bytes) -> tuple[list[str], int]:
    """Split the text of a log into complete events.

    Args:
        data: Content of the log. A last event without its end is left out; it may still be written.

    Returns:
        The events that have a valid header and a known number, and the number of other events.
    """
    events, damaged = [], 0
    # A full disk leaves blocks of NUL bytes.
    *blocks, _ = _END.split(re.sub(rb"\0+", b"\n", data))
    for block in blocks:
        headers = [match.start() for match in _HEADER.finditer(block)]
        # A cut event has no end, so the event after it follows in the same block.
        damaged += max(0, len(headers) - 1)
        if not headers:
            damaged += bool(block.strip())
            continue
        text = block[headers[-1] :].decode(errors="replace")
        if int(text[:3]) in _KNOWN:
            events.append(text)
        else:
            damaged += 1
    return events, damaged


def parse_event(text: str) -> PlainEvent | None:
    """Parse one event of `split_events`; None if its date or its result cannot be read."""
    header = _FIRST_LINE.match(text)
    if header is None:
        return None
    number, cluster, proc, day, time, utc = header.groups()
    try:
        when = datetime.fromisoformat(f"{day}T{time}")
        stamp = int((when.replace(tzinfo=UTC) if utc else when).timestamp())
    except (ValueError, OverflowError):
        return None
    kind = JobEventType(int(number))
    fields: dict[str, Any] = {}
    for name, pattern in _FIELDS.get(kind, {}).items():
        if found := re.search(pattern, text, re.MULTILINE):
            fields[name] = int(found[1]) if found[1].lstrip("-").isdecimal() and len(found[1]) < 19 else found[1]
    if kind == JobEventType.SUBMIT and (node := _NODE_NAME.search(text)):
        fields["StructuredNotes"] = {"DAGNodeName": node[1] or node[2]}
    if kind == JobEventType.JOB_TERMINATED:
        if not fields:
            return None
        fields["TerminatedNormally"] = "ReturnValue" in fields
    return PlainEvent(kind, int(cluster), int(proc), stamp, fields)
