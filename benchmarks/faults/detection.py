"""What the project says about a fault: messages of its commands, its status and its event log."""

import re
from collections.abc import Iterator

from alignsec.run.event_log import EventLog, NodeHistory
from benchmarks.faults.seed_run import SeedRun
from submit.condor.dag import FINAL_NODE
from submit.monitor.run_status import RunStatus

TRACEBACK = "traceback"
MAX_LENGTH = 160


def describe(run: SeedRun, code: int, now: RunStatus | None) -> list[str]:
    """Return what the project says after a submission has ended, without names and numbers.

    Args:
        run: The run.
        code: Exit code of the command.
        now: The status; None if it cannot be read.
    """
    texts = [*_describe_command(run, code), *_describe_events(EventLog(run.run.events))]
    if now is None:
        texts.append(f"status: {run.read_status_error()}")
    else:
        texts += [f"{pair.state}: {pair.reason}".replace(pair.id, "PAIR") for pair in now.pairs if pair.reason]
        if now.final and now.final != "done":
            texts.append(f"analysis: {now.final}")
        texts += now.notes
    return list(dict.fromkeys(_simplify(text) for text in texts))


def _describe_command(run: SeedRun, code: int) -> Iterator[str]:
    if not code:
        return
    lines = run.submit_output.read_text(encoding="utf-8", errors="replace").splitlines()
    said = [line for line in lines if line.strip()]
    yield f"submit ended with {code}: {said[-1] if said else 'no output'}"
    if "Traceback (most recent call last):" in lines:
        yield TRACEBACK


def _describe_events(log: EventLog) -> Iterator[str]:
    for node, history in log.nodes.items():
        name = "analysis" if node == FINAL_NODE else "pair"
        yield from (f"event log: {name} {what}" for what in _describe_history(history))


def _describe_history(history: NodeHistory) -> Iterator[str]:
    if history.evictions:
        yield "evicted"
    if history.holds:
        yield "held"
    if history.jobs > 1:
        yield "retried"
    if history.state == "removed":
        yield "removed"


def _simplify(text: str) -> str:
    """Return a text without paths, digests and numbers."""
    text = re.sub(r"/[\w./-]+", "PATH", " ".join(text.split()))
    return re.sub(r"\b[0-9a-f]{12,64}\b|\d+", "N", text)[:MAX_LENGTH]
