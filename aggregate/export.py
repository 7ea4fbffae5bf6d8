"""Write a run for other tools: `python -m aggregate.export RUN`.

The folder RUN/export/ then has verdicts.csv with one row per image, robustbench/ with RobustBench's model_info
files, and citation.bib. Only pairs that are ok have rows. Exit code 0: written. 2: an input is invalid.
"""

import argparse
import csv
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from aggregate.exports import citation, robustbench, verdict_table
from aggregate.formatting import format_quantity
from alignsec import atomic, terminal
from alignsec.command import INPUT_ERROR, run_command
from alignsec.errors import ConfigErrors
from alignsec.run import status
from alignsec.run.folder import RunFolder
from alignsec.run.outcome import Record
from alignsec.run.plan import Plan
from alignsec.spreadsheet import guard_text

NOTE = "no partly written file is left"


def main(argv: list[str]) -> int:
    """Run the command with these arguments and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m aggregate.export", description=__doc__.splitlines()[0])
    parser.add_argument("RUN", type=Path, help="run folder, which contains plan.json and outcomes/")
    parser.add_argument("--out", type=Path, help="output folder (default: RUN/export)")
    return run_command(partial(_run, parser.parse_args(argv)), NOTE, os_error=INPUT_ERROR)


def _run(given: argparse.Namespace) -> int:
    folder = RunFolder(given.RUN)
    out: Path = given.out or folder.root / "export"
    plan = Plan.read(folder)
    out.mkdir(parents=True, exist_ok=True)
    written = _Written()
    with atomic.temporary_file(out, "verdicts.csv") as temporary:
        with temporary.open("w", encoding="utf-8", newline="") as text:
            writer = csv.writer(text, lineterminator="\n")
            writer.writerow(verdict_table.COLUMNS)
            for one in status.read_statuses(plan, folder.outcomes):
                if one.state == "ok" and one.record is not None:
                    written.add(one.record, writer.writerow, out)
        if not written.pairs:
            raise ConfigErrors.about(folder.root, "has no pair that is ok, so there is nothing to export")
        atomic.move_into_place(temporary, out / "verdicts.csv")
    atomic.write_atomic(out / "citation.bib", citation.format_bibtex(plan).encode())
    terminal.write(sys.stdout, f"{written.describe(len(plan.planned))}\nThe export is at {out}\n")
    return 0


@dataclass
class _Written:
    """Counts of what was written."""

    pairs: int = 0
    rows: int = 0
    files: int = 0

    def add(self, record: Record, write_row: Callable[[list[object]], object], out: Path) -> None:
        """Write the rows and the files of one record."""
        self.pairs += 1
        for row in verdict_table.list_rows(record):
            write_row([guard_text(cell) if isinstance(cell, str) else cell for cell in row])
            self.rows += 1
        for name, content in robustbench.list_files(record):
            path = out / "robustbench" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            atomic.write_atomic(path, content, durable=False)
            self.files += 1

    def describe(self, planned: int) -> str:
        """Return a sentence with the counts; `planned` is the number of pairs of the plan."""
        rows, pairs = format_quantity(self.rows, "row"), format_quantity(self.pairs, "pair")
        left_out = f"; {format_quantity(planned - self.pairs, 'pair')} not ok, left out"
        text = f"{rows} of {pairs}, {format_quantity(self.files, 'model_info file')}"
        return text + (left_out if planned > self.pairs else "")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
