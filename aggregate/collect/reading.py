"""Readings: what the tally keeps of one outcome file."""

import lzma
import multiprocessing
import signal
import tarfile
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from itertools import islice, starmap
from pathlib import Path
from typing import TypeVar

import numpy as np

from aggregate.collect import table
from aggregate.collect.table import Row
from alignsec.errors import ConfigErrors
from alignsec.run import outcome_file, status
from alignsec.run.outcome import Record
from alignsec.run.outcome_file import OutcomeFile
from alignsec.run.status import OutcomeReader, StatusName
from alignsec.spec.verdicts import MENDED, ROBUST

PROVENANCE_FIELDS = ("code", "container", "precision", "device", "host")


@dataclass(frozen=True, slots=True)
class PairCost:
    """What an ok pair took. Passes are counted in images."""

    job_seconds: float
    forward: int
    backward: int
    rejected: int


@dataclass(frozen=True, slots=True)
class OutcomeSummary:
    """One outcome file."""

    state: StatusName
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
    spent: PairCost | None = None
    notes: tuple[str, ...] = ()
    versions: tuple[tuple[str, str], ...] = ()


def summarize_outcome(file: OutcomeFile, planned: bool) -> OutcomeSummary:
    """Read one outcome file. Raises OSError; tarfile.ReadError where its archive ends too early."""
    found = status.read_file_status(file, planned, outcome_file.parse_summary)
    answer = found.record or found.failure
    ran = answer.provenance if answer else None
    model, attack = (found.pair.model.name, found.pair.attack.name) if found.pair else ("", "")
    plain = partial(OutcomeSummary, found.state, found.reason, model, attack)
    if ran is not None:
        traces = tuple(getattr(ran, name) for name in PROVENANCE_FIELDS)
        plain = partial(plain, traces=traces, started=ran.started, seconds=ran.seconds)
    if found.state != "ok" or found.record is None:
        return plain()
    record = found.record
    return plain(
        rows=tuple(table.count_rows(record, found.outcome_sha256)),
        robust=tuple(_robust(budget.verdicts) for budget in record.budgets),
        spent=_spent(record),
        notes=tuple(dict.fromkeys(record.notes)),
        versions=tuple(record.provenance.versions.items()),
    )


def _spent(record: Record) -> PairCost:
    passes = [record.clean_passes, *(p for budget in record.budgets for p in budget.passes.values())]
    return PairCost(
        job_seconds=record.provenance.seconds,
        forward=sum(p.forward for p in passes),
        backward=sum(p.backward for p in passes),
        rejected=sum(budget.rejected for budget in record.budgets),
    )


def _robust(verdicts: str) -> bytes:
    letters = np.frombuffer(verdicts.encode("ascii"), dtype=np.uint8)
    return np.packbits((letters == ord(ROBUST)) | (letters == ord(MENDED))).tobytes()


BATCH_SIZE = 64
"""Outcome files that a process is handed at once: long enough to be worth the message."""
BATCHES_AHEAD = 4
"""Batches that wait for each process; what is read and not yet fetched stays in memory."""
Result = TypeVar("Result")
Reader = Callable[[OutcomeFile, bool], Result]
"""Reads one outcome file; True where the plan asks for it."""


def read_parallel(read: Reader[Result], processes: int) -> OutcomeReader[Result]:
    """Reads files in their order, in this process or in so many others; then `read` is a function of a module."""
    return partial(starmap, read) if processes < 2 else partial(_side_by_side, read, processes)


def _batch(read: Reader[Result], files: list[tuple[OutcomeFile, bool]]) -> list[Result]:
    return list(starmap(read, files))


def _side_by_side(
    read: Reader[Result], processes: int, files: Iterable[tuple[OutcomeFile, bool]]
) -> Iterator[Result]:
    # Not forked: this process may have threads of its own, of which a fork has the locks and not the hands.
    fresh = multiprocessing.get_context("spawn")
    source = iter(files)
    waiting: deque[Future[list[Result]]] = deque()
    with ProcessPoolExecutor(processes, fresh, _leave_interrupts_to_the_parent) as workers:
        while batch := list(islice(source, BATCH_SIZE)):
            waiting.append(workers.submit(_batch, read, batch))
            if len(waiting) > BATCHES_AHEAD * processes:
                yield from waiting.popleft().result()
        for future in waiting:
            yield from future.result()


def _leave_interrupts_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def convert_archive_errors(seen: Iterable[Result], outcomes: Path) -> Iterator[Result]:
    """What was seen, or a Mistake if the archive it comes from ends too early or is none."""
    try:
        yield from seen
    except (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError) as error:
        why = str(error).partition("\n")[0].rstrip(":")
        remedy = f"is neither a folder nor a whole tar archive ({why}); was its transfer cut short?"
        raise ConfigErrors.about(outcomes, remedy) from None
    except BrokenProcessPool:
        remedy = "was being read by several processes when one of them died, most likely for memory; try --jobs 1"
        raise ConfigErrors.about(outcomes, remedy) from None
