"""The entry point: `python -m aggregate.compare A B` tells whether two runs agree on every image, and if not, why.

Exit code 0: all verdicts that both runs have agree. 1: some differ. 2: there is nothing to compare, and what to
mend is said.
"""

import argparse
import os
import sys
from functools import partial
from pathlib import Path

from rich.console import Console

from aggregate.collect import table
from aggregate.comparison import agreement, report, runs
from aggregate.comparison.agreement import Comparison
from alignsec import atomic
from alignsec.command import INPUT_ERROR, run_command
from alignsec.display import Display
from alignsec.errors import ConfigErrors
from alignsec.run.folder import RunFolder

NOTE = "no partly written file is left"
SHOWN = 20
"""Lines of each kind that the terminal is given; the page has more, the tables all."""


def main(argv: list[str]) -> int:
    """Run the command with these arguments and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m aggregate.compare", description=__doc__.splitlines()[0])
    for letter in "AB":
        parser.add_argument(letter, type=Path, help="a run's folder, which holds plan.json and outcomes/")
    parser.add_argument(
        "--out", type=Path, help="the folder to write (default: B/compare/ and the name of A's folder)"
    )
    return run_command(partial(_run, parser.parse_args(argv)), NOTE, os_error=INPUT_ERROR)


def _run(given: argparse.Namespace) -> int:
    out = given.out or RunFolder(given.B).comparison(given.A)
    cores = len(os.sched_getaffinity(0))
    with Display(Console(stderr=True)) as display:
        found = _compared(given.A, given.B, cores, display)
    out.mkdir(parents=True, exist_ok=True)
    atomic.write_atomic(out / "compare.csv", table.to_csv(report.make_agreement_table(found)))
    atomic.write_atomic(out / "images.csv", table.to_csv(report.make_image_table(found)))
    atomic.write_atomic(out / "compare.html", report.render_comparison(found))
    sys.stdout.write("\n".join([*_summary(found), f"The page is at {out / 'compare.html'}", ""]))
    return 1 if found.changed else 0


def _compared(a: Path, b: Path, processes: int, display: Display) -> Comparison:
    """Both runs are read before either is complained of."""
    found, errors = [], []
    for root in (a, b):
        try:
            found.append(runs.read_run(root, processes, display))
        except ConfigErrors as error:
            errors += [one for one in error.errors if one not in errors]
    if errors:
        raise ConfigErrors(errors)
    return agreement.compare_runs(*found)


def _summary(found: Comparison) -> list[str]:
    differences = [
        f"  {one.name}: {one.a} in A, {one.b} in B ({one.pairs}; {one.changed:,} changed there): {one.means}"
        for one in report.list_differences(found)
    ]
    changed = [
        f"  {row.model} × {row.attack} × {row.eps}: {report.describe_changes(row)} (p {row.p:.3g})"
        for row in sorted(found.rows, key=lambda row: -len(row.changes))
        if row.changes
    ]
    alone = [
        f"  {model} × {attack}: only in {run}; the other run: {why}" for (model, attack), run, why in found.alone
    ]
    return [
        report.summarize_agreement(found),
        *report.describe_findings(found),
        *_most("What is not the same:", differences or ["  nothing that is recorded"]),
        *_most("Changed:", changed),
        *_most("In one run alone:", alone),
    ]


def _most(heading: str, lines: list[str]) -> list[str]:
    more = [f"  and {len(lines) - SHOWN:,} more"] if len(lines) > SHOWN else []
    return [heading, *lines[:SHOWN], *more] if lines else []


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
