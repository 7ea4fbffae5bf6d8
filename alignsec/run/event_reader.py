"""Reads an HTCondor event log event by event, also a damaged one, and from the middle.

A full disk leaves a half-written event in the log, and one such event must not hide all later ones. HTCondor's
bindings stop there. They also cannot continue a log that another process has begun to read, and take ten times as
long: the log of 100,000 jobs has 150 MB. So this reader parses the text itself and skips what is damaged.

Reference: HTCondor manual, "Job Event Log Codes".
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import IO, Final


class EventType:
    """The numbers of the events that change a node's history."""

    SUBMIT: Final = 0
    EXECUTE: Final = 1
    JOB_EVICTED: Final = 4
    JOB_TERMINATED: Final = 5
    IMAGE_SIZE: Final = 6
    JOB_ABORTED: Final = 9
    JOB_HELD: Final = 12
    JOB_RELEASED: Final = 13
    JOB_RECONNECT_FAILED: Final = 24


_KNOWN = frozenset({*range(48), *range(100, 112)})
"""The event numbers of HTCondor 25."""
_END = b"\n...\n"
_HEADER_CHARACTERS = len("000 (001.000.000) ")
_UNUSUAL_END = re.compile(rb"^\.\.\.[ \t]*\r?\n", re.MULTILINE)
_DATE = r"(\d{4}-\d\d-\d\d|\d\d/\d\d)[ T](\d\d:\d\d):(\d\d)"
_FIRST_LINE = re.compile(rf"(\d{{3}}) \((\d{{1,18}})\.(\d{{3,9}})\.\d{{3,9}}\) {_DATE}(?:\.\d+)?(Z?)")
_HEADER = re.compile(r"\d{3} \(\d{1,18}\.\d{3,9}\.\d{3,9}\) (?=\d{4}-\d\d-\d\d|\d\d/\d\d )")
"""Start of an event; behind a cut event also in the middle of a line, or of the cut event's number or date."""
_PATTERNS: dict[int, re.Pattern[str]] = {
    # HTCondor 23.9 logs a note, "DAG Node: NAME", and 25.x a ClassAd.
    EventType.SUBMIT: re.compile(r'DAG Node: (?P<Node>\S+)|DAGNodeName = "(?P<NodeName>[^"\n]+)"'),
    EventType.EXECUTE: re.compile(r"\n\tSlotName: (?P<SlotName>.+)"),
    EventType.JOB_TERMINATED: re.compile(
        r"Normal termination \(return value (?P<ReturnValue>-?\d+)\)|"
        r"Abnormal termination \(signal (?P<TerminatedBySignal>\d+)\)"
    ),
    EventType.IMAGE_SIZE: re.compile(r"\n\t(?P<MemoryUsage>\d+) +- +MemoryUsage of job"),
    EventType.JOB_ABORTED: re.compile(r"\n\t(?P<Reason>.+)"),
    EventType.JOB_HELD: re.compile(r"\n\t(?P<HoldReason>.+)(?:\n\tCode (?P<HoldReasonCode>\d+) Subcode)?"),
}
_MEMORY_ROW = "\n\t   Memory (MB)"
_MEMORY = re.compile(r" +: +(\d+) +\d+ +\d+ *(?:\n|$)")
"""Usage, request and allocation. Without a measured usage, the table has two numbers."""
_CHUNK_BYTES = 16_000_000
_MARK_BYTES = 256


@dataclass(slots=True)
class Event:
    """One event of a log."""

    type: int
    """Its number, one of EventType if it is of interest."""
    job: str
    """cluster.process"""
    timestamp: int
    """Seconds since 1970, UTC."""
    fields: dict[str, str]
    """Some of its fields, by the names of HTCondor's bindings."""


@dataclass
class Position:
    """A place between two events of a log, from which another process can continue."""

    offset: int = 0
    """Number of bytes before it."""
    mark: str = ""
    """Digest of the log's first bytes and of the last ones before it: another log has others."""
    damaged: int = 0
    """Number of events before it that were skipped."""
    has_nul: bool = False
    """Whether there is a NUL byte before it. A full disk leaves blocks of them, at which DAGMan skips events."""


@dataclass
class EventReader:
    """The events of one log."""

    path: Path
    position: Position = field(default_factory=Position)
    """End of the events that were read."""

    @property
    def damaged(self) -> int:
        """Number of events that were skipped so far."""
        return self.position.damaged

    def is_replaced(self) -> bool:
        """Return whether the log is no longer the one that was read: the caller forgets what it read.

        Raises:
            OSError: The log cannot be read.
        """
        if not self.position.offset:
            return False
        try:
            with self.path.open("rb") as file:
                if self._compute_mark(file) == self.position.mark:
                    return False
        except FileNotFoundError:
            pass
        self.position = Position()
        return True

    def read_new(self) -> Iterator[Event]:
        """Yield the events that were written since the last call; a missing log has none.

        A last event without its end is left for the next call: it may still be written.

        Raises:
            OSError: The log cannot be read.
        """
        try:
            file = self.path.open("rb")
        except FileNotFoundError:
            return
        with file:
            file.seek(self.position.offset)
            rest = b""
            while chunk := file.read(_CHUNK_BYTES):
                # The first end has no newline before it if the log begins with one.
                data = b"\n" + _normalize_ends(rest + chunk)
                cut = data.rfind(_END) + len(_END) if _END in data else 1
                rest = data[cut:]
                texts, damaged = split_events(data[:cut])
                self.position.has_nul = self.position.has_nul or b"\0" in data[:cut]
                for text in texts:
                    if event := parse_event(text):
                        yield event
                    else:
                        damaged += 1
                self.position.damaged += damaged
                self.position.offset = file.tell() - len(rest)
            self.position.mark = self._compute_mark(file)

    def _compute_mark(self, file: IO[bytes]) -> str:
        """Return a digest of the log's beginning and of the end of what was read."""
        offset = self.position.offset
        file.seek(0)
        begin = file.read(min(_MARK_BYTES, offset))
        file.seek(max(0, offset - _MARK_BYTES))
        return hashlib.sha256(begin + file.read(min(_MARK_BYTES, offset))).hexdigest()[:16]


def _normalize_ends(data: bytes) -> bytes:
    """Return the text with the same end behind each event: some have blanks or a carriage return."""
    return _UNUSUAL_END.sub(b"...\n", data) if b"\n... " in data or b"...\t" in data or b"\r" in data else data


def split_events(data: bytes) -> tuple[list[str], int]:
    """Split the text of a log into complete events.

    Args:
        data: Content of the log. A last event without its end is left out; it may still be written.

    Returns:
        The events that have a valid header and a known number, and the number of other events.
    """
    # A full disk leaves blocks of NUL bytes.
    text = (re.sub(rb"\0+", b"\n", data) if b"\0" in data else data).decode(errors="replace")
    *blocks, _ = text.split("\n...\n")
    events, damaged = [], 0
    for block in blocks:
        start = block.lstrip("\n")
        # The header of another event behind it contains this text; few others do.
        if _FIRST_LINE.match(start) and start.find(".000) ", _HEADER_CHARACTERS) < 0:
            found, more = start, 0
        else:
            found, more = _find_last_header(block)
            damaged += more
        if found and int(found[:3]) in _KNOWN:
            events.append(found)
        elif found or (not more and block.strip(" \n.")):
            damaged += 1
    return events, damaged


def _find_last_header(block: str) -> tuple[str, int]:
    """Return the last event in the text between two ends, and the number of cut events before it.

    A cut event has no end, so the event after it follows in the same block.
    """
    starts = [match.start() for match in _HEADER.finditer(block)]
    return (block[starts[-1] :], len(starts) - 1) if starts else ("", 0)


def parse_event(text: str) -> Event | None:
    """Parse one event of `split_events`; None if its date or its result cannot be read."""
    header = _FIRST_LINE.match(text)
    if header is None:
        return None
    number, cluster, proc, day, minute, second, utc = header.groups()
    kind = int(number)
    try:
        stamp = _minute_stamp(day, minute, bool(utc)) + int(second)
    except (ValueError, OverflowError):
        return None
    pattern = _PATTERNS.get(kind)
    found = pattern.search(text, header.end()) if pattern else None
    fields = {name: value for name, value in found.groupdict().items() if value} if found else {}
    if kind == EventType.JOB_TERMINATED:
        if not fields:
            return None
        row = text.find(_MEMORY_ROW)
        if row >= 0 and (used := _MEMORY.match(text, row + len(_MEMORY_ROW))):
            fields["MemoryUsage"] = used[1]
    return Event(kind, f"{int(cluster)}.{int(proc)}", stamp, fields)


@lru_cache(maxsize=4096)
def _minute_stamp(day: str, minute: str, utc: bool) -> int:
    """Return the seconds since 1970 at the beginning of a minute.

    Raises:
        ValueError: There is no such time.
    """
    zone = UTC if utc else None
    if len(day) == len("2026-11-25"):
        return int(datetime.fromisoformat(f"{day}T{minute}").replace(tzinfo=zone).timestamp())
    # Pools can be configured to write dates without a year.
    now = datetime.now(zone)
    when = datetime.strptime(f"{now.year}/{day} {minute}", "%Y/%m/%d %H:%M").replace(tzinfo=zone)
    return int((when.replace(year=now.year - 1) if when > now + timedelta(days=1) else when).timestamp())
