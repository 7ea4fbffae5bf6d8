"""Readings: what the tally keeps of one outcome file."""

from dataclasses import dataclass
from functools import partial

import numpy as np

from aggregate import table
from aggregate.table import Row
from alignsec import outcome_file, status
from alignsec.outcome import MENDED, ROBUST, Record
from alignsec.outcome_file import OutcomeFile
from alignsec.status import State

TRACES = ("code", "container", "precision", "device", "host")


@dataclass(frozen=True, slots=True)
class Spent:
    """What an ok pair took. Passes are counted in images."""

    job_seconds: float
    forward: int
    backward: int
    rejected: int


@dataclass(frozen=True, slots=True)
class Reading:
    """One outcome file."""

    state: State
    reason: str
    """Empty where the pair is ok."""
    model: str
    """Empty where the file does not say; attack too."""
    attack: str
    traces: tuple[str, ...] = ()
    """Of its run, in the order of TRACES; empty where the file does not say."""
    started: str = ""
    """UTC, ISO 8601."""
    seconds: float | None = None
    """From the job's first line to its last."""
    rows: tuple[Row, ...] = ()
    """Of an ok pair only, as all that follows."""
    robust: tuple[bytes, ...] = ()
    """One for each row, a bit an image."""
    spent: Spent | None = None
    notes: tuple[str, ...] = ()
    versions: tuple[tuple[str, str], ...] = ()


def read(file: OutcomeFile, planned: bool) -> Reading:
    """Read one outcome file. Raises OSError; tarfile.ReadError where its archive ends too early."""
    found = status.judged(file, planned, outcome_file.skim)
    answer = found.record or found.failure
    ran = answer.provenance if answer else None
    model, attack = (found.pair.model.name, found.pair.attack.name) if found.pair else ("", "")
    plain = partial(Reading, found.state, found.reason, model, attack)
    if ran is not None:
        traces = tuple(getattr(ran, name) for name in TRACES)
        plain = partial(plain, traces=traces, started=ran.started, seconds=ran.seconds)
    if found.state != "ok" or found.record is None:
        return plain()
    record = found.record
    return plain(
        rows=tuple(table.rows(record, found.outcome_sha256)),
        robust=tuple(_robust(budget.verdicts) for budget in record.budgets),
        spent=_spent(record),
        notes=tuple(dict.fromkeys(record.notes)),
        versions=tuple(record.provenance.versions.items()),
    )


def _spent(record: Record) -> Spent:
    passes = [record.clean_passes, *(p for budget in record.budgets for p in budget.passes.values())]
    return Spent(
        job_seconds=record.provenance.seconds,
        forward=sum(p.forward for p in passes),
        backward=sum(p.backward for p in passes),
        rejected=sum(budget.rejected for budget in record.budgets),
    )


def _robust(verdicts: str) -> bytes:
    letters = np.frombuffer(verdicts.encode("ascii"), dtype=np.uint8)
    return np.packbits((letters == ord(ROBUST)) | (letters == ord(MENDED))).tobytes()
