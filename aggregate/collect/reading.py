"""Reading of outcome files: a summary of each file, read by one process or by several in parallel."""

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
from alignsec.spec.verdicts import MENDED, ROBUST, UNAUDITED, WRONG

PROVENANCE_FIELDS = ("code", "container", "precision", "device", "host")
"""Fields of an outcome's provenance that the tally counts."""
BATCH_SIZE = 64
"""Outcome files that a process receives at once, so that reading takes longer than the message."""
BATCHES_AHEAD = 4
"""Batches that wait for each process. Results that are not fetched yet stay in memory."""

Result = TypeVar("Result")
Reader = Callable[[OutcomeFile, bool], Result]
"""Function that reads one outcome file; its second argument is True if the plan contains the pair."""


@dataclass(frozen=True, slots=True)
class PairCost:
    """Cost of one ok pair. Passes are counted in images."""

    job_seconds: float
    forward: int
    backward: int
    rejected: int
    """Adversarial examples that the float32 check rejected."""


@dataclass(frozen=True, slots=True)
class OutcomeSummary:
    """Summary of one outcome file. From `rows` on, the fields are empty unless the pair is ok."""

    state: StatusName
    reason: str
    """Empty if the pair is ok."""
    model: str
    """Empty if the file does not name it; attack too."""
    attack: str
    provenance: tuple[str, ...] = ()
    """Values of PROVENANCE_FIELDS; empty if the file has no provenance."""
    started: str = ""
    """UTC, ISO 8601."""
    seconds: float | None = None
    """Time from the start to the end of the job."""
    rows: tuple[Row, ...] = ()
    robust: tuple[bytes, ...] = ()
    """Packed bits of the robust images, one entry per row."""
    clean: bytes = b""
    """Packed bits of the images that are correct without an attack."""
    cost: PairCost | None = None
    notes: tuple[str, ...] = ()
    versions: tuple[tuple[str, str], ...] = ()
    """Name and version of each library."""
    examples: str = ""
    """SHA-256 of the file of kept adversarial examples; empty if there is none."""


def summarize_outcome(file: OutcomeFile, planned: bool) -> OutcomeSummary:
    """Read and summarise one outcome file.

    Args:
        file: The outcome file.
        planned: True if the plan contains the pair; otherwise the outcome is stale.

    Raises:
        OSError: The file cannot be read.
        tarfile.ReadError: The archive that contains the file is truncated.
    """
    found = status.read_file_status(file, planned, outcome_file.parse_summary)
    outcome = found.record or found.failure
    model, attack = (found.pair.model.name, found.pair.attack.name) if found.pair else ("", "")
    summarize = partial(OutcomeSummary, found.state, found.reason, model, attack)
    if outcome is not None and outcome.provenance is not None:
        provenance = outcome.provenance
        summarize = partial(
            summarize,
            provenance=tuple(getattr(provenance, name) for name in PROVENANCE_FIELDS),
            started=provenance.started,
            seconds=provenance.seconds,
        )
    if found.state != "ok" or found.record is None:
        return summarize()
    record = found.record
    return summarize(
        rows=tuple(table.count_rows(record, found.outcome_sha256)),
        robust=tuple(_pack_robust(budget.verdicts) for budget in record.budgets),
        clean=_pack_clean(record.budgets[0].verdicts),
        cost=_sum_cost(record),
        notes=tuple(dict.fromkeys(record.notes)),
        versions=tuple(record.provenance.versions.items()),
        examples=record.examples.sha256 if record.examples else "",
    )


def _sum_cost(record: Record) -> PairCost:
    passes = [record.clean_passes, *(p for budget in record.budgets for p in budget.passes.values())]
    return PairCost(
        job_seconds=record.provenance.seconds,
        forward=sum(p.forward for p in passes),
        backward=sum(p.backward for p in passes),
        rejected=sum(budget.rejected for budget in record.budgets),
    )


def _pack_clean(verdicts: str) -> bytes:
    letters = np.frombuffer(verdicts.encode("ascii"), dtype=np.uint8)
    return np.packbits((letters != ord(WRONG)) & (letters != ord(MENDED))).tobytes()


def _pack_robust(verdicts: str) -> bytes:
    letters = np.frombuffer(verdicts.encode("ascii"), dtype=np.uint8)
    return np.packbits(np.isin(letters, [ord(ROBUST), ord(MENDED), ord(UNAUDITED)])).tobytes()


def read_parallel(read: Reader[Result], processes: int) -> OutcomeReader[Result]:
    """Return a function that reads outcome files in their order.

    Args:
        read: Function that reads one file. With several processes, it must be a module-level function.
        processes: Number of reading processes; with 1, this process reads.
    """
    return partial(starmap, read) if processes < 2 else partial(_read_in_processes, read, processes)


def _read_in_processes(
    read: Reader[Result], processes: int, files: Iterable[tuple[OutcomeFile, bool]]
) -> Iterator[Result]:
    # Not fork: a forked child would inherit locks held by threads that it does not have.
    context = multiprocessing.get_context("spawn")
    source = iter(files)
    waiting: deque[Future[list[Result]]] = deque()
    with ProcessPoolExecutor(processes, context, _ignore_interrupts) as workers:
        while batch := list(islice(source, BATCH_SIZE)):
            waiting.append(workers.submit(_read_batch, read, batch))
            if len(waiting) > BATCHES_AHEAD * processes:
                yield from waiting.popleft().result()
        for future in waiting:
            yield from future.result()


def _read_batch(read: Reader[Result], files: list[tuple[OutcomeFile, bool]]) -> list[Result]:
    return list(starmap(read, files))


def _ignore_interrupts() -> None:
    """Leave Ctrl-C to the parent process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def convert_archive_errors(results: Iterable[Result], outcomes: Path) -> Iterator[Result]:
    """Yield the results and convert errors of reading the archive.

    Raises:
        ConfigErrors: `outcomes` is a truncated archive or not an archive, or a reading process died.
    """
    try:
        yield from results
    except (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError) as error:
        why = str(error).partition("\n")[0].rstrip(":")
        remedy = f"is neither a folder nor a complete tar archive ({why}); check if its transfer was cut short"
        raise ConfigErrors.about(outcomes, remedy) from None
    except BrokenProcessPool:
        remedy = "could not be read: a reading process died, probably for lack of memory; try --jobs 1"
        raise ConfigErrors.about(outcomes, remedy) from None
