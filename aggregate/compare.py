"""Compare the verdicts of two runs image by image: `python -m aggregate.compare A B`.

Either can be a CSV file of another tool, see docs/exports.md.

Exit code 0: all verdicts that both runs have agree. 1: some differ. 2: an input is invalid, or the runs have
nothing in common, and nothing is written.
"""

import argparse
import os
import sys
from functools import partial
from pathlib import Path

from alignsec import atomic, terminal
from alignsec.command import INPUT_ERROR, explain_missing, run_command
from alignsec.console import TerminalConsole
from alignsec.display import Display
from alignsec.errors import ConfigErrors
from alignsec.run.folder import RunFolder

try:
    from aggregate.collect import table
    from aggregate.comparison import agreement, report, runs, verdict_file
    from aggregate.comparison.agreement import Comparison
except ModuleNotFoundError as missing:
    sys.exit(explain_missing(missing, "all"))

INPUT_HELP = "run folder, which contains plan.json and outcomes/; or a CSV file with one row per image"
NOTE = "no partly written file is left"
MAX_LINES = 20
"""Lines of each kind that the terminal shows; the page shows more, and the CSV files contain all."""


def main(argv: list[str]) -> int:
    """Run the command with these arguments and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m aggregate.compare", description=__doc__.splitlines()[0])
    for letter in "AB":
        parser.add_argument(letter, type=Path, help=INPUT_HELP)
    parser.add_argument("--out", type=Path, help="output folder (default: B/compare/ and the name of A's folder)")
    return run_command(partial(_run, parser.parse_args(argv)), NOTE, os_error=INPUT_ERROR)


def _run(given: argparse.Namespace) -> int:
    # Next to a CSV file of another tool, as next to a run.
    folder = RunFolder(given.B.parent if given.B.is_file() else given.B)
    out = given.out or folder.comparison(given.A)
    cores = len(os.sched_getaffinity(0))
    with Display(TerminalConsole(stderr=True)) as display:
        comparison = _read_and_compare(given.A, given.B, cores, display)
    out.mkdir(parents=True, exist_ok=True)
    atomic.write_atomic(out / "compare.csv", table.to_csv(report.make_agreement_table(comparison)))
    atomic.write_atomic(out / "images.csv", table.to_csv(report.make_image_table(comparison)))
    atomic.write_atomic(out / "compare.html", report.render_comparison(comparison))
    terminal.write(sys.stdout, "\n".join([*_summarize(comparison), f"The page is at {out / 'compare.html'}", ""]))
    return 1 if comparison.changed else 0


def _read_and_compare(a: Path, b: Path, processes: int, display: Display) -> Comparison:
    """Read both runs, so that the errors of both are reported together, and compare them."""
    both, errors = [], []
    for root in (a, b):
        try:
            is_file = root.is_file()
            both.append(
                verdict_file.read_verdict_file(root) if is_file else runs.read_run(root, processes, display)
            )
        except ConfigErrors as error:
            errors += [one for one in error.errors if one not in errors]
    if errors:
        raise ConfigErrors(errors)
    return agreement.compare_runs(*both)


def _summarize(comparison: Comparison) -> list[str]:
    differences = [
        f"  {one.name}: {one.a} in A, {one.b} in B ({one.pairs}; {one.changed:,} changed there): {one.means}"
        for one in report.list_differences(comparison)
    ]
    changed = [
        f"  {row.model} × {row.attack} × {row.eps}: {report.describe_changes(row)} (p {row.p:.3g})"
        for row in sorted(comparison.rows, key=lambda row: -len(row.changes))
        if row.changes
    ]
    unmatched = [
        f"  {model} × {attack}: only in {run}; the other run: {why}"
        for (model, attack), run, why in comparison.unmatched
    ]
    return [
        report.summarize_agreement(comparison),
        *report.describe_findings(comparison),
        *_limit("Settings that differ:", differences or ["  none of the recorded ones"]),
        *_limit("Changed verdicts:", changed),
        *_limit("Only in one run:", unmatched),
    ]


def _limit(heading: str, lines: list[str]) -> list[str]:
    more = [f"  and {len(lines) - MAX_LINES:,} more"] if len(lines) > MAX_LINES else []
    return [heading, *lines[:MAX_LINES], *more] if lines else []


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
