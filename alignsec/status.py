"""Status: which pairs of a run are ok, failed, missing or stale, from its outcome files alone."""

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from alignsec import digest, outcome
from alignsec.event_log import EventLog, NodeHistory
from alignsec.outcome import Damaged, Failure, Record
from alignsec.pair import Pair
from alignsec.run_folder import Plan

State = Literal["ok", "failed", "missing", "stale"]


@dataclass(frozen=True)
class PairStatus:
    """One pair of the plan, or one outcome that the plan no longer asks for."""

    id: str
    state: State
    pair: Pair | None
    """None where a stale or damaged file does not say."""
    record: Record | None = None
    """Present when the state is ok, and for stale records; those never enter a table."""
    failure: Failure | None = None
    reason: str = ""
    """Why it is not ok, in a sentence."""
    outcome_sha256: str = ""
    """Digest of the outcome file; empty where there is none."""
    history: NodeHistory | None = None
    """What HTCondor wrote down of its jobs; None outside a pool, or where it was not submitted."""


def survey(plan: Plan, outcomes: Path, events: EventLog | None = None) -> Iterator[PairStatus]:
    """The status of every pair of the plan and of every stale outcome, one file in memory at a time.

    outcomes: a folder of outcome files, or a tar archive of them. Pairs without one come last, in the plan's
    order. A damaged file is a failed pair: it is reported and run again, never read past its checksum.
    events: what HTCondor wrote down, which tells why an outcome is missing.
    """
    histories = events.nodes if events else {}
    awaited = {pair.id: pair for pair in plan}
    for pair_id, data in _files(outcomes):
        pair = awaited.pop(pair_id, None)
        found = _status(pair, data) if pair else _stale(pair_id, data)
        yield replace(found, history=histories.get(pair_id))
    for pair in awaited.values():
        history = histories.get(pair.id)
        reason = history.story if history else "no outcome file"
        yield PairStatus(pair.id, "missing", pair, reason=reason, history=history)


def of_pair(pair: Pair, path: Path) -> PairStatus:
    """The status of one pair from where its outcome file should be."""
    return _status(pair, path.read_bytes() if path.exists() else None)


def _status(pair: Pair, data: bytes | None) -> PairStatus:
    if data is None:
        return PairStatus(pair.id, "missing", pair, reason="no outcome file")
    if not data:
        # The job makes its outcome file first of all, because HTCondor holds a job that leaves none.
        return PairStatus(pair.id, "failed", pair, reason="its job died before it could say why; see its log")
    sha256 = digest.of_bytes(data)
    try:
        what = outcome.parse(data)
    except Damaged as error:
        return PairStatus(pair.id, "failed", pair, reason=f"the outcome file {error}", outcome_sha256=sha256)
    if what.id != pair.id:
        reason = f"the outcome file is that of another pair, {what.id}"
        return PairStatus(pair.id, "failed", pair, reason=reason, outcome_sha256=sha256)
    if isinstance(what, Failure):
        return PairStatus(pair.id, "failed", pair, failure=what, reason=what.reason, outcome_sha256=sha256)
    return PairStatus(pair.id, "ok", pair, record=what, outcome_sha256=sha256)


def _stale(pair_id: str, data: bytes) -> PairStatus:
    reason = "the study no longer asks for this pair: its model, attack, images or seed changed"
    try:
        what = outcome.parse(data)
    except Damaged as error:
        return PairStatus(pair_id, "stale", None, reason=f"{reason}; the file {error}")
    record = what if isinstance(what, Record) else None
    sha256 = digest.of_bytes(data)
    return PairStatus(pair_id, "stale", what.pair, record=record, reason=reason, outcome_sha256=sha256)


def _files(outcomes: Path) -> Iterator[tuple[str, bytes]]:
    """The name, less `.json`, and the bytes of each outcome file. Half-written files start with a dot."""
    if outcomes.is_dir():
        for path in sorted(outcomes.glob("[!.]*.json")):
            yield path.stem, path.read_bytes()
    elif outcomes.exists():
        with tarfile.open(outcomes) as archive:
            for member in archive:
                file = archive.extractfile(member)
                name = Path(member.name)
                if file is not None and name.suffix == ".json" and not name.name.startswith("."):
                    yield name.stem, file.read()
