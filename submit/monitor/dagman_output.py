"""DAGMan's own log and its node status file: why a node could not be submitted or its PRE script failed.

The event log has no event of a job that the schedd refused, so these files are the only source of the reason.

Reference: HTCondor manual, "DAGMan Workflows", node status files and "Submitting jobs: dagman.out".
"""

import re
from dataclasses import dataclass
from pathlib import Path

_TIME = re.compile(r"\s*\d\d/\d\d/\d\d \d\d:\d\d:\d\d(?:\.\d+)? (?:\([^)]*\) )*")
"""Begins each message. A message of several lines, such as a parse error, has it on its first line only."""
_SUBMITTING = re.compile(r"Submitting (?:HTCondor |Condor )?[Nn]ode (\S+)")
_REFUSED = re.compile(r"(?:ERROR: )?Failed to submit job (\S+?): (.+)")
_ERRORS = (re.compile(r"submit error: (.+)"), re.compile(r"(?:From submit: )?ERROR: (.+)"))
"""The more exact message first."""
_ASSIGNED = "assigned HTCondor ID"
_TRY = re.compile(r"Job submit (?:try (\d+)/(\d+) failed|failed after (\d+) tr)")
_SCRIPT = re.compile(r"PRE [Ss]cript of (?:node|job) (\S+) (failed .+|died .+)", re.IGNORECASE)
_EXIT = re.compile(r"\*\*\*\* condor_(?:scheduniv_exec|dagman)\S* .*EXITING WITH STATUS (\d+)")
_START = re.compile(r"\*\* condor_\S+ \(CONDOR_DAGMAN\) STARTING UP")
_STATUS_AD = re.compile(r'Node = "([^"]+)";\s*NodeStatus = (\d+);[^;\n]*\s*StatusDetails = "((?:[^"\\]|\\.)*)"')
_NODE_ERROR = 6
"""NodeStatus of a node that failed."""
_SCHEDD = re.compile(r"^(?:SCHEDD|Submit):-?\d+:\s*")
_MAX_REASON = 300
_MAX_BYTES = 64_000_000
"""The part of a log that is read: its end."""
_MAX_STATUS_BYTES = 64_000_000


@dataclass(frozen=True)
class Problem:
    """Why a node has no job."""

    reason: str
    """One sentence, from DAGMan."""
    final: bool
    """True if DAGMan does not try again."""


class DagmanOutput:
    """The problems that DAGMan reported, by node. Only new lines are read. Missing files have no problems.

    Args:
        output: DAGMan's log, study.dag.dagman.out.
        node_status: The node status file.
    """

    def __init__(self, output: Path, node_status: Path) -> None:
        self.exit_status: int | None = None
        """DAGMan's last exit status; None while it runs."""
        self._output, self._node_status = output, node_status
        self._problems: dict[str, Problem] = {}
        self._position = 0
        self._rest = b""
        self._node, self._reason, self._continues = "", "", False
        self._status_time = 0
        self._failed: dict[str, str] = {}

    def update(self) -> dict[str, Problem]:
        """Read what is new and return the problems of nodes that DAGMan could not submit or prepare."""
        for line in self._read_lines():
            self._read_line(line)
        self._read_node_status()
        others = {
            node: Problem(f"DAGMan: {details}", final=True)
            for node, details in self._failed.items()
            if node not in self._problems and _explains_missing_job(details)
        }
        return {**others, **self._problems}

    def _read_lines(self) -> list[str]:
        try:
            with self._output.open("rb") as file:
                size = file.seek(0, 2)
                if size < self._position:
                    self._position, self._rest = 0, b""
                self._position = max(self._position, size - _MAX_BYTES)
                file.seek(self._position)
                data = self._rest + file.read(_MAX_BYTES)
                self._position = file.tell()
        except OSError:
            return []
        *lines, self._rest = data.split(b"\n")
        return [line.decode(errors="replace").rstrip("\r") for line in lines]

    def _read_line(self, line: str) -> None:
        start = _TIME.match(line)
        text = line[start.end() :] if start else line.strip()
        if not start and self._continues and len(self._reason) < _MAX_REASON:
            self._reason = f"{self._reason} {text}".strip()
            return
        self._continues = False
        if found := _SUBMITTING.match(text):
            if found[1] != self._node:
                self._node, self._reason = found[1], ""
        elif found := _REFUSED.match(text):
            self._node, self._reason = found[1], found[2]
        elif text.strip().startswith(_ASSIGNED):
            self._problems.pop(self._node, None)
            self._node = ""
        elif found := _TRY.match(text):
            self._add_refusal(found)
        elif found := _SCRIPT.match(text):
            self._problems[found[1]] = Problem(f"its PRE script {_shorten(found[2])}", final=True)
        elif found := _EXIT.match(text):
            self.exit_status = int(found[1])
        elif _START.match(text):
            self.exit_status = None
        else:
            self._read_error(text)

    def _read_error(self, text: str) -> None:
        for number, pattern in enumerate(_ERRORS):
            found = pattern.match(text)
            # A job's own message is more exact than DAGMan's summary that came before it.
            if found and self._node and (number == 0 or not self._reason):
                self._reason, self._continues = found[1], True

    def _add_refusal(self, tried: re.Match[str]) -> None:
        if not self._node:
            return
        reason = _shorten(_SCHEDD.sub("", self._reason)) or "no reason given; see study.dag.dagman.out"
        attempt = f" (try {tried[1]} of {tried[2]})" if tried[1] else ""
        self._problems[self._node] = Problem(f"HTCondor refused its job{attempt}: {reason}", final=not tried[1])
        self._reason = ""

    def _read_node_status(self) -> None:
        try:
            changed = self._node_status.stat().st_mtime_ns
            if changed == self._status_time:
                return
            with self._node_status.open("rb") as file:
                text = file.read(_MAX_STATUS_BYTES).decode(errors="replace")
        except OSError:
            return
        self._status_time = changed
        found = _STATUS_AD.findall(text)
        self._failed = {node: _shorten(details) for node, status, details in found if status == str(_NODE_ERROR)}


def _explains_missing_job(details: str) -> bool:
    return "submit" in details.lower() or "script" in details.lower()


def _shorten(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= _MAX_REASON else words[:_MAX_REASON] + " ..."
