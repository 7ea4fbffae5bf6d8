"""Readers: processes that read outcome files side by side."""

import lzma
import multiprocessing
import signal
import tarfile
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from itertools import islice, starmap
from pathlib import Path
from typing import TypeVar

from alignsec.mistake import Mistake, Mistakes
from alignsec.outcome_file import OutcomeFile
from alignsec.status import Look

BATCH = 64
"""Outcome files that a process is handed at once: long enough to be worth the message."""
AHEAD = 4
"""Batches that wait for each process; what is read and not yet fetched stays in memory."""
Read = TypeVar("Read")
Reader = Callable[[OutcomeFile, bool], Read]
"""Reads one outcome file; True where the plan asks for it."""


def of(read: Reader[Read], processes: int) -> Look[Read]:
    """Reads files in their order, in this process or in so many others; then `read` is a function of a module."""
    return partial(starmap, read) if processes < 2 else partial(_side_by_side, read, processes)


def _batch(read: Reader[Read], files: list[tuple[OutcomeFile, bool]]) -> list[Read]:
    return list(starmap(read, files))


def _side_by_side(read: Reader[Read], processes: int, files: Iterable[tuple[OutcomeFile, bool]]) -> Iterator[Read]:
    # Not forked: this process may have threads of its own, of which a fork has the locks and not the hands.
    fresh = multiprocessing.get_context("spawn")
    source = iter(files)
    waiting: deque[Future[list[Read]]] = deque()
    with ProcessPoolExecutor(processes, fresh, _leave_interrupts_to_the_parent) as workers:
        while batch := list(islice(source, BATCH)):
            waiting.append(workers.submit(_batch, read, batch))
            if len(waiting) > AHEAD * processes:
                yield from waiting.popleft().result()
        for future in waiting:
            yield from future.result()


def _leave_interrupts_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def whole(seen: Iterable[Read], outcomes: Path) -> Iterator[Read]:
    """What was seen, or a Mistake if the archive it comes from ends too early or is none."""
    try:
        yield from seen
    except (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError) as error:
        why = str(error).partition("\n")[0].rstrip(":")
        remedy = f"is neither a folder nor a whole tar archive ({why}); was its transfer cut short?"
        raise Mistakes([Mistake(str(outcomes), "", "", remedy)]) from None
    except BrokenProcessPool:
        remedy = "was being read by several processes when one of them died, most likely for memory; try --jobs 1"
        raise Mistakes([Mistake(str(outcomes), "", "", remedy)]) from None
