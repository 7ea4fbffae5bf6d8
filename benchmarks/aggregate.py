"""Compare the reading of outcomes with simple pandas loops, and write benchmarks/results/aggregate.json.

    python -m benchmarks.aggregate

Both count verdicts by model, attack and budget. alignsec also verifies checksums, validates every record and keeps
the robust images. Each measurement runs in a separate process. `seconds_ratio` and `cpu_ratio` are the peer's
value over alignsec's, per outcome: 2 means that the peer takes twice as much. `peak_mb` is the sum of the peak
memory of each process, including readers (VmHWM, read twenty times a second). The peaks can be at different times,
and each process counts the libraries that it shares with the others. Needs 5 GB of disk and, on two free cores, 4
minutes.
"""

import argparse
import json
import multiprocessing
import os
import platform
import resource
import sys
import tarfile
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO, Any, cast

import pandas as pd

from aggregate.collect import table, tally
from alignsec.run.event_log import EventLog
from alignsec.run.folder import RunFolder
from alignsec.run.plan import Plan
from alignsec.run.status import FEW_PAIRS
from benchmarks import synthetic_run
from benchmarks.synthetic_run import Size

RESULTS = Path(__file__).parent / "results" / "aggregate.json"
ARCHIVE = "outcomes.tar"
SAMPLE_SECONDS = 0.05
"""Interval in seconds between two readings of the readers' memory."""
Row = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """A synthetic run, and the number of its outcomes that each peer reads."""

    size: Size
    loop: int
    concat: int = 0
    """0 if one row per image does not fit into memory."""


CASES = (
    Case(Size(models=144, attacks=3), loop=432, concat=432),
    Case(Size(models=2500, attacks=4), loop=10_000),
    Case(Size(models=10_000, attacks=10), loop=10_000),
)


def read_with_alignsec(root: Path, _: int) -> int:
    """Return the number of rows of the table, read with one process per core (or one process for few outcomes)."""
    folder = RunFolder(root)
    cores = len(os.sched_getaffinity(0))
    found = tally.read_tally(Plan.read(folder), root / ARCHIVE, EventLog(folder.events), cores)
    if found.not_ok:
        raise AssertionError(found.not_ok[0].reason)
    return len(table.make_frame(found.rows))


def read_with_loop(root: Path, most: int) -> int:
    """Return the number of groups, counted with one dictionary per budget."""
    rows = [
        {"model": model, "attack": attack, "eps": budget["eps"], **Counter(budget["verdicts"])}
        for model, attack, budget in _budgets(root, most)
    ]
    return len(pd.DataFrame(rows).groupby(["model", "attack", "eps"]).sum())


def read_with_concat(root: Path, most: int) -> int:
    """Return the number of groups, counted with one frame per budget that has one row per image."""
    frames = [
        pd.DataFrame({"model": model, "attack": attack, "eps": budget["eps"], "verdict": list(budget["verdicts"])})
        for model, attack, budget in _budgets(root, most)
    ]
    counts = pd.concat(frames).groupby(["model", "attack", "eps"])["verdict"].value_counts().unstack()
    return len(counts)


def _budgets(root: Path, most: int) -> Iterator[tuple[str, str, Row]]:
    with tarfile.open(root / ARCHIVE) as archive:
        for member in islice(archive, most):
            record = json.load(cast(IO[bytes], archive.extractfile(member)))
            for budget in record["budgets"]:
                yield record["pair"]["model"]["name"], record["pair"]["attack"]["name"], budget


Work = Callable[[Path, int], int]
PEERS: dict[str, Work] = {
    "json.load, a dictionary a budget, groupby": read_with_loop,
    "json.load, a row an image, concat, groupby": read_with_concat,
}


def measure_process(work: Work, root: Path, most: int) -> Row:
    """Return time and memory of a function in a separate process, including its readers."""
    context = multiprocessing.get_context("spawn")
    receive, send = context.Pipe(duplex=False)
    process = context.Process(target=_measure, args=(send, work, root, most))
    process.start()
    send.close()
    own = Path(f"/proc/{process.pid}")
    peaks: dict[Path, int] = {}
    while not receive.poll(SAMPLE_SECONDS):
        readers = (Path(f"/proc/{pid}") for pid in _text(own / f"task/{process.pid}/children").split())
        peaks.update((reader, peak) for reader in readers if (peak := _peak(reader)))
    row: Row = receive.recv()
    process.join()
    return {**row, "peak_mb": (row["peak_bytes"] + sum(peaks.values())) // 1_000_000}


def _peak(process: Path) -> int:
    """Return the peak memory of a process since it started its program in bytes, or 0 if it has ended.

    ru_maxrss is not suitable: it starts with the memory of the parent process.
    """
    lines = _text(process / "status").splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _measure(send: Connection, work: Work, root: Path, most: int) -> None:
    before, started = time.process_time(), time.perf_counter()
    rows = work(root, most)
    seconds, own = time.perf_counter() - started, time.process_time() - before
    readers = resource.getrusage(resource.RUSAGE_CHILDREN)
    send.send(
        {
            "rows": rows,
            "seconds": seconds,
            "cpu_seconds": own + readers.ru_utime + readers.ru_stime,
            "peak_bytes": _peak(Path("/proc/self")),
        }
    )


def compare(case: Case) -> Iterator[Row]:
    """Yield one row per peer. The outcomes are in a tar archive, as in the FINAL node."""
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root)
        synthetic_run.write_archive(synthetic_run.write_plan(case.size, RunFolder(folder)), folder / ARCHIVE)
        outcomes, budgets = case.size.outcomes, len(synthetic_run.EPS)
        own = measure_process(read_with_alignsec, folder, outcomes)
        for name, given in zip(PEERS, (case.loop, case.concat), strict=True):
            if not given:
                continue
            other = measure_process(PEERS[name], folder, given)
            if other["rows"] * outcomes != own["rows"] * given:
                raise AssertionError(
                    f"{name}: expected the same number of rows: {other['rows']} and {own['rows']}"
                )
            share = outcomes / given
            yield {
                "case": f"{outcomes:,} outcomes of {case.size.images:,} images, {budgets} budgets each",
                "peer": name,
                "outcomes": outcomes,
                "seconds": round(own["seconds"], 2),
                "cpu_seconds": round(own["cpu_seconds"], 2),
                "peak_mb": own["peak_mb"],
                "seconds_ratio": round(share * other["seconds"] / own["seconds"], 2),
                "cpu_ratio": round(share * other["cpu_seconds"] / own["cpu_seconds"], 2),
                "peer_outcomes": given,
                "peer_seconds": round(other["seconds"], 2),
                "peer_peak_mb": other["peak_mb"],
                "processes": len(os.sched_getaffinity(0)) if outcomes > FEW_PAIRS else 1,
            }


def main(arguments: Sequence[str] | None = None) -> None:
    """Run every case and write the rows."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.aggregate", description=__doc__)
    parser.add_argument("--most", type=int, default=100_000, help="omit cases with more outcomes")
    most: int = parser.parse_args(arguments).most
    machine = f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}"
    rows: list[Row] = []
    for case in CASES:
        if case.size.outcomes > most:
            continue
        for row in compare(case):
            # Written after each row, because a later one can fail.
            rows.append({**row, "machine": machine, "load": round(os.getloadavg()[0], 1)})
            RESULTS.parent.mkdir(exist_ok=True)
            RESULTS.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
            sys.stdout.write(f"{json.dumps(row)}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
