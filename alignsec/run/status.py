"""Status of the pairs of a run: ok, failed, missing or stale, derived from the outcome files."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeVar

from alignsec import digest
from alignsec.run import outcome_file
from alignsec.run.event_log import EventLog
from alignsec.run.node_history import NodeHistory
from alignsec.run.outcome import Failure, Record
from alignsec.run.outcome_file import DamagedOutcomeError, OutcomeFile
from alignsec.run.plan import Plan
from alignsec.run.sealed_record import is_record_of
from alignsec.spec.pair import Pair

StatusName = Literal["ok", "failed", "missing", "stale"]
Result = TypeVar("Result")
FEW_PAIRS = 2000
"""Up to this number of pairs, one process reads the outcomes: starting a second one takes seconds."""
ENDINGS = frozenset({"ended", "held", "removed"})
"""States of a job that says why there is no outcome."""
_STALE = "the study no longer contains this pair: its model, attack, images or seed changed"
_EMPTY = "the job died before it could write a reason; see its log"


@dataclass(frozen=True)
class PairStatus:
    """The status of one pair of the plan, or of one outcome that the plan no longer contains."""

    id: str
    state: StatusName
    pair: Pair | None
    """None if a stale or damaged file does not contain the pair."""
    record: Record | None = None
    """Set if the state is ok. Also set for stale records, which never enter a table."""
    failure: Failure | None = None
    reason: str = ""
    """The reason why the pair is not ok, in one sentence."""
    outcome_sha256: str = ""
    """Digest of the outcome file; empty if the file is missing or empty."""
    history: NodeHistory | None = None
    """HTCondor's events of the pair's jobs; None outside a pool and for pairs that were not submitted."""


OutcomeReader = Callable[[Iterable[tuple[OutcomeFile, bool]]], Iterable[Result]]
"""Reads outcome files and yields one result per file, in the same order. The flag is True if the plan contains the
pair."""


def read_outcomes(
    plan: Plan, outcomes: Path, reader: OutcomeReader[Result]
) -> Iterator[tuple[str, Pair | None, Result | None]]:
    """Read all outcome files of a run.

    Args:
        plan: The plan of the run.
        outcomes: A folder of outcome files, or a tar archive of them.
        reader: Reads the files.

    Yields:
        The id, the planned pair (None for a stale outcome), and the reader's result. Pairs without an outcome file
        come last, in the plan's order; their result is None.
    """
    remaining = {pair.id: pair for pair in plan}
    in_progress: deque[tuple[str, Pair | None]] = deque()

    def list_files() -> Iterator[tuple[OutcomeFile, bool]]:
        for file in outcome_file.list_outcome_files(outcomes):
            pair = remaining.pop(file.name, None)
            in_progress.append((file.name, pair))
            yield file, pair is not None

    for result in reader(list_files()):
        yield *in_progress.popleft(), result
    for pair in remaining.values():
        yield pair.id, pair, None


def read_statuses(plan: Plan, outcomes: Path, events: EventLog | None = None) -> Iterator[PairStatus]:
    """Read the status of every pair of the plan and of every stale outcome, one file in memory at a time.

    A pair with a damaged file has failed: the file is reported and the pair runs again.

    Args:
        plan: The plan of the run.
        outcomes: A folder of outcome files, or a tar archive of them.
        events: HTCondor's event log, which gives the reason for a missing outcome.

    Yields:
        The statuses in the order of `read_outcomes`.
    """
    histories = events.nodes if events else {}
    for pair_id, pair, found in read_outcomes(plan, outcomes, _read_file_statuses):
        history = histories.get(pair_id)
        if found is None:
            yield missing_status(pair_id, pair, history)
        else:
            reason = explain_death(found.reason, history)
            yield replace(found, pair=pair or found.pair, history=history, reason=reason)


def _read_file_statuses(files: Iterable[tuple[OutcomeFile, bool]]) -> Iterator[PairStatus]:
    return (read_file_status(file, planned) for file, planned in files)


def missing_status(pair_id: str, pair: Pair | None, history: NodeHistory | None) -> PairStatus:
    """Return the status of a pair without an outcome file."""
    reason = history.summary if history else "no outcome file"
    return PairStatus(pair_id, "missing", pair, reason=reason, history=history)


def explain_death(reason: str, history: NodeHistory | None) -> str:
    """Return the reason of a failed pair, with what the event log knows if its job left an empty outcome.

    Args:
        reason: The reason from the outcome file.
        history: HTCondor's events of the pair's jobs.
    """
    return history.summary if reason == _EMPTY and history and history.state in ENDINGS else reason


def read_pair_status(pair: Pair, path: Path, history: NodeHistory | None = None) -> PairStatus:
    """Read the status of one pair.

    Args:
        pair: The pair.
        path: Path of its outcome file, which may not exist.
        history: HTCondor's events of the pair's jobs.
    """
    if not os.path.lexists(path):
        return missing_status(pair.id, pair, history)
    found = read_file_status(OutcomeFile(pair.id, path), True)
    return replace(found, pair=pair, history=history, reason=explain_death(found.reason, history))


def read_state(file: OutcomeFile, code_sha256: str) -> tuple[StatusName, str]:
    """Return the state of a planned pair's outcome file, and the reason if it is not ok.

    A file that the run's own code wrote was validated before it was written. So only its beginning and its
    checksum are compared, which is ten times as fast.

    Args:
        file: The outcome file.
        code_sha256: Digest of the run's code.
    """
    with suppress(DamagedOutcomeError):
        if is_record_of(file.read(), file.name, code_sha256):
            return "ok", ""
    found = read_file_status(file, True)
    return found.state, found.reason


def read_file_status(
    file: OutcomeFile, planned: bool, parse: Callable[[bytes], Record | Failure] = outcome_file.parse
) -> PairStatus:
    """Read the status of the pair after which an outcome file is named.

    Args:
        file: The outcome file.
        planned: Whether the plan contains the pair; otherwise the outcome is stale.
        parse: `outcome_file.parse`, or `outcome_file.parse_summary` if its content is enough.

    Returns:
        The status. Its `pair` is the pair that the file contains.
    """
    state: StatusName = "failed" if planned else "stale"
    sha256 = ""
    try:
        data = file.read()
        if planned and not data:
            # A job creates its outcome file first, because HTCondor holds a job without a declared output.
            return PairStatus(file.name, state, None, reason=_EMPTY)
        sha256 = digest.sha256_of_bytes(data)
        outcome = parse(data)
    except DamagedOutcomeError as error:
        reason = f"the outcome file {error}" if planned else f"{_STALE}; the file {error}"
        return PairStatus(file.name, state, None, reason=reason, outcome_sha256=sha256)
    record, failure = (outcome, None) if isinstance(outcome, Record) else (None, outcome)
    status = PairStatus(file.name, state, outcome.pair, reason=_STALE, outcome_sha256=sha256)
    if not planned:
        return replace(status, record=record)
    if outcome.id != file.name:
        return replace(status, reason=f"the outcome file is that of another pair, {outcome.id}")
    if failure is not None:
        return replace(status, failure=failure, reason=failure.reason)
    return replace(status, state="ok", record=record, reason="")
