"""Fuzz the readers of files, logs and answers: `make fuzz`, or `python -m benchmarks.fuzz`.

    python -m benchmarks.fuzz --seconds 60 --reader study --reader outcome

Each reader gets valid inputs after random changes, and documents of a grammar. A finding is an exception that
the callers of the reader do not turn into a message, more than 10 s of processor time, memory above the reader's
bound, or the death of the process. Inputs depend on the seed alone. The input of each finding is kept, and
`--replay FILE` executes it again.

Exit code 0: nothing was found. 1: there are findings.
"""

import argparse
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from alignsec import terminal
from alignsec.errors import nearest
from benchmarks.fuzz import coverage
from benchmarks.fuzz.campaign import ReaderResult, fuzz_reader, replay
from benchmarks.fuzz.reader import Reader
from benchmarks.fuzz.readers import READERS

RESULTS = Path(__file__).parents[1] / "results" / "fuzz.json"
FOUND = Path("fuzz-findings")


def write_results(path: Path, results: list[ReaderResult], seed: int) -> None:
    """Write the table of a campaign."""
    content = {
        "date": datetime.now(UTC).date().isoformat(),
        "seed": seed,
        "executions": sum(one.executions for one in results),
        "hours": round(sum(one.seconds for one in results) / 3600, 3),
        "findings": sum(len(one.findings) for one in results),
        "readers": [one.as_row() for one in results],
    }
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def main(argv: list[str]) -> int:
    """Run the command with these arguments and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.fuzz", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=600, help="time of all readers together (default: 600)")
    parser.add_argument("--executions", type=int, default=10**9, help="most executions of one reader")
    parser.add_argument("--reader", action="append", help="a reader; by default all. Repeat it for several")
    parser.add_argument("--seed", type=int, default=0, help="seed of all inputs (default: 0)")
    parser.add_argument("--found", type=Path, default=FOUND, help=f"folder of findings (default: {FOUND})")
    parser.add_argument(
        "--results", type=Path, help=f"file for the table, such as {RESULTS.relative_to(Path.cwd())}"
    )
    parser.add_argument("--coverage", action="store_true", help="guide the changes by coverage; needs atheris")
    parser.add_argument("--replay", type=Path, help="execute the input of one finding again")
    given = parser.parse_args(argv)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if given.replay:
        reader = READERS[given.replay.name.rpartition("-")[0]]
        terminal.write(sys.stdout, f"{given.replay}: {replay(reader, given.replay)}\n")
        return 0
    names = given.reader or list(READERS)
    if unknown := [name for name in names if name not in READERS]:
        parser.error(f"--reader: unknown reader {unknown[0]}; {nearest(unknown[0], list(READERS))}")
    results = [_run_reader(READERS[name], given, len(names)) for name in names]
    if given.results:
        write_results(given.results, results, given.seed)
    total = sum(len(one.findings) for one in results)
    terminal.write(
        sys.stdout,
        f"{sum(one.executions for one in results):,} executions of {len(results)} readers in "
        f"{sum(one.seconds for one in results):.0f} s of processor time: {total} findings\n",
    )
    return 1 if total else 0


def _run_reader(reader: Reader, given: argparse.Namespace, readers: int) -> ReaderResult:
    fuzz = coverage.fuzz_reader if given.coverage else fuzz_reader
    result = fuzz(reader, given.seed, given.seconds / readers, given.executions, given.found)
    terminal.write(
        sys.stdout,
        f"{reader.name:20} {result.executions:>9,} executions, {result.read:>9,} read, {result.seconds:6.1f} s, "
        f"{len(result.findings)} findings\n",
    )
    for finding in result.findings:
        terminal.write(sys.stdout, f"  {finding}\n")
    sys.stdout.flush()
    return result


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
