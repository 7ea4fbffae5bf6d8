"""Status: which pairs of a run are ok, failed, missing or stale, from its outcome files alone."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeVar

from alignsec import digest
from alignsec.run import outcome_file
from alignsec.run.event_log import EventLog, NodeHistory
from alignsec.run.outcome import Failure, Record
from alignsec.run.outcome_file import DamagedOutcomeError, OutcomeFile
from alignsec.run.plan import Plan
from alignsec.spec.pair import Pair

StatusName = Literal["ok", "failed", "missing", "stale"]
Seen = TypeVar("Seen")
FEW_PAIRS = 2000
"""Pairs up to which reading their outcomes is not worth a second process: it takes seconds to start."""


@dataclass(frozen=True)
class PairStatus:
    """One pair of the plan, or one outcome that the plan no longer asks for."""

    id: str
    state: StatusName
    pair: Pair | None
    """None where a stale or damaged file does not say."""
    record: Record | None = None
    """Present when the state is ok, and for stale records; those never enter a table."""
    failure: Failure | None = None
    reason: str = ""
    """Why it is not ok, in a sentence."""
    outcome_sha256: str = ""
    """Digest of the outcome file; empty where there is none, or nothing in it."""
    history: NodeHistory | None = None
    """What HTCondor wrote down of its jobs; None outside a pool, or where it was not submitted."""


OutcomeReader = Callable[[Iterable[tuple[OutcomeFile, bool]]], Iterable[Seen]]
"""Makes something of each outcome file, in their order; True where the plan asks for it."""


def read_outcomes(
    plan: Plan, outcomes: Path, look: OutcomeReader[Seen]
) -> Iterator[tuple[str, Pair | None, Seen | None]]:
    """The id, the planned pair if there is one, and what `look` makes of each outcome file of a run.

    outcomes: a folder of outcome files, or a tar archive of them. Pairs without one come last, with None, in the
    plan's order.
    """
    awaited = {pair.id: pair for pair in plan}
    under_way: deque[tuple[str, Pair | None]] = deque()

    def due() -> Iterator[tuple[OutcomeFile, bool]]:
        for file in outcome_file.list_outcome_files(outcomes):
            pair = awaited.pop(file.name, None)
            under_way.append((file.name, pair))
            yield file, pair is not None

    for seen in look(due()):
        yield *under_way.popleft(), seen
    for pair in awaited.values():
        yield pair.id, pair, None


def read_statuses(plan: Plan, outcomes: Path, events: EventLog | None = None) -> Iterator[PairStatus]:
    """The status of every pair of the plan and of every stale outcome, one file in memory at a time.

    The order is that of look_at. A damaged file is a failed pair: it is reported and run again, never read past
    its checksum. events: what HTCondor wrote down, which tells why an outcome is missing.
    """
    histories = events.nodes if events else {}
    for pair_id, pair, found in read_outcomes(
        plan, outcomes, lambda files: (read_file_status(*file) for file in files)
    ):
        history = histories.get(pair_id)
        if found is None:
            yield missing_status(pair_id, pair, history)
        else:
            yield replace(found, pair=pair or found.pair, history=history)


def missing_status(pair_id: str, pair: Pair | None, history: NodeHistory | None) -> PairStatus:
    """The status of a pair without an outcome file."""
    reason = history.summary if history else "no outcome file"
    return PairStatus(pair_id, "missing", pair, reason=reason, history=history)


def read_pair_status(pair: Pair, path: Path) -> PairStatus:
    """The status of one pair from where its outcome file should be."""
    if not path.exists():
        return missing_status(pair.id, pair, None)
    return replace(read_file_status(OutcomeFile(pair.id, path), True), pair=pair)


def read_file_status(
    file: OutcomeFile, planned: bool, parse: Callable[[bytes], Record | Failure] = outcome_file.parse
) -> PairStatus:
    """The status that a file gives the pair it is named after; its `pair` is the one that the file holds.

    planned: whether the plan asks for that pair; what it does not ask for is stale. parse: outcome_file.parse_summary
    where its record is enough.
    """
    data = file.read()
    sha256 = digest.sha256_of_bytes(data)
    state: StatusName = "failed" if planned else "stale"
    stale = "the study no longer asks for this pair: its model, attack, images or seed changed"
    if planned and not data:
        # The job makes its outcome file first of all, because HTCondor holds a job that leaves none.
        return PairStatus(file.name, state, None, reason="its job died before it could say why; see its log")
    try:
        what = parse(data)
    except DamagedOutcomeError as error:
        reason = f"the outcome file {error}" if planned else f"{stale}; the file {error}"
        return PairStatus(file.name, state, None, reason=reason, outcome_sha256=sha256)
    record, failure = (what, None) if isinstance(what, Record) else (None, what)
    status = PairStatus(file.name, state, what.pair, reason=stale, outcome_sha256=sha256)
    if not planned:
        return replace(status, record=record)
    if what.id != file.name:
        return replace(status, reason=f"the outcome file is that of another pair, {what.id}")
    if failure is not None:
        return replace(status, failure=failure, reason=failure.reason)
    return replace(status, state="ok", record=record, reason="")
