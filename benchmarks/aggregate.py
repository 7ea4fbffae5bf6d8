"""Reading a run's outcomes, against the obvious pandas loop in one run. Writes benchmarks/results/aggregate.json.

    python -m benchmarks.aggregate

Both count verdicts by model, attack and budget; ours also holds every byte to its checksum, validates every
record and keeps which images are robust. Each measurement is a process of its own. `seconds_ratio` and `cpu_ratio`
are peer over ours: 2 means that the peer takes twice as much; where the peer is given fewer outcomes, for each.
`peak_mb` adds up what each process, readers included, held when it was largest (VmHWM, looked at twenty times a
second). These need not be the same moment, and each process counts the libraries that it shares with the others.
Needs 5 GB of disk and, on two free cores, 4 minutes.
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
LOOK_EVERY = 0.05
"""Seconds between two looks at what the readers hold."""
Row = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """A synthetic run, and how many of its outcomes each peer is given."""

    size: Size
    loop: int
    concat: int = 0
    """None where 0: a row an image does not fit into memory."""


CASES = (
    Case(Size(models=144, attacks=3), loop=432, concat=432),
    Case(Size(models=2500, attacks=4), loop=10_000),
    Case(Size(models=10_000, attacks=10), loop=10_000),
)


def ours(root: Path, _: int) -> int:
    """The table of every outcome, by as many processes as there are cores, none for few; the rows it has."""
    folder = RunFolder(root)
    cores = len(os.sched_getaffinity(0))
    found = tally.read_tally(Plan.read(folder), root / ARCHIVE, EventLog(folder.events), cores)
    if found.not_ok:
        raise AssertionError(found.not_ok[0].reason)
    return len(table.make_frame(found.rows))


def loop(root: Path, most: int) -> int:
    """A dictionary a budget, a frame of them, a sum by groups."""
    rows = [
        {"model": model, "attack": attack, "eps": budget["eps"], **Counter(budget["verdicts"])}
        for model, attack, budget in _budgets(root, most)
    ]
    return len(pd.DataFrame(rows).groupby(["model", "attack", "eps"]).sum())


def concat(root: Path, most: int) -> int:
    """A frame a budget with a row an image, all of them put together, counts by groups."""
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
    "json.load, a dictionary a budget, groupby": loop,
    "json.load, a row an image, concat, groupby": concat,
}


def measured(work: Work, root: Path, most: int) -> Row:
    """What a piece of work takes in a process of its own, its readers included."""
    context = multiprocessing.get_context("spawn")
    receive, send = context.Pipe(duplex=False)
    process = context.Process(target=_measure, args=(send, work, root, most))
    process.start()
    send.close()
    own = Path(f"/proc/{process.pid}")
    peaks: dict[Path, int] = {}
    while not receive.poll(LOOK_EVERY):
        readers = (Path(f"/proc/{pid}") for pid in _text(own / f"task/{process.pid}/children").split())
        peaks.update((reader, peak) for reader in readers if (peak := _peak(reader)))
    row: Row = receive.recv()
    process.join()
    return {**row, "peak_mb": (row["peak_bytes"] + sum(peaks.values())) // 1_000_000}


def _peak(process: Path) -> int:
    """The most memory that a process has held since it began its program, in bytes; 0 where it has ended.

    ru_maxrss will not do: it begins with what the process held that started it.
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
    """One row a peer. The outcomes stand in a tar archive, as the FINAL node is given them."""
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root)
        synthetic_run.into_archive(synthetic_run.plan(case.size, RunFolder(folder)), folder / ARCHIVE)
        outcomes, budgets = case.size.outcomes, len(synthetic_run.EPS)
        own = measured(ours, folder, outcomes)
        for name, given in zip(PEERS, (case.loop, case.concat), strict=True):
            if not given:
                continue
            other = measured(PEERS[name], folder, given)
            if other["rows"] * outcomes != own["rows"] * given:
                raise AssertionError(f"{name} counted other rows: {other['rows']} and {own['rows']}")
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
    parser.add_argument("--most", type=int, default=100_000, help="leave out the cases of more outcomes")
    most: int = parser.parse_args(arguments).most
    machine = f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}"
    rows: list[Row] = []
    for case in CASES:
        if case.size.outcomes > most:
            continue
        for row in compare(case):
            # Written after each: a later one may fail.
            rows.append({**row, "machine": machine, "load": round(os.getloadavg()[0], 1)})
            RESULTS.parent.mkdir(exist_ok=True)
            RESULTS.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
            sys.stdout.write(f"{json.dumps(row)}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
