"""The entry point: `python -m aggregate.registry PACKAGE --scores FILE --out CSV` joins names to scores.

Exit code 0: the table is written. 2: nothing was written, and what to mend is said.
"""

import argparse
import sys
from pathlib import Path

from aggregate import scores
from aggregate.registry import translation
from aggregate.table import csv
from aggregate.wording import counted
from alignsec import atomic
from alignsec.mistake import Mistake, Mistakes


def main(argv: list[str]) -> int:
    """Run the command with these arguments and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m aggregate.registry", description=__doc__.splitlines()[0])
    parser.add_argument(
        "package", metavar="PACKAGE", type=Path, help="brainscore_vision: its folder, or its wheel (pip download)"
    )
    parser.add_argument("--scores", metavar="FILE", type=Path, required=True, help="alignment scores, any form")
    parser.add_argument("--out", metavar="CSV", type=Path, required=True, help="the table to write")
    given = parser.parse_args(argv)
    mistakes = []
    if not given.package.exists():
        mistakes.append(Mistake("PACKAGE", "", str(given.package), "does not exist"))
    if not given.scores.is_file():
        mistakes.append(Mistake("--scores", "", str(given.scores), "is not a file"))
    if not given.out.parent.is_dir() or given.out.is_dir():
        mistakes.append(Mistake("--out", "", str(given.out), "is no file in a folder that exists"))
    try:
        if mistakes:
            raise Mistakes(mistakes)
        registered = translation.read(given.package)
        alignment = scores.parse(given.scores.read_bytes())
        table = translation.translation(registered, alignment)
        atomic.write(given.out, csv(table))
    except Mistakes as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except OSError as error:
        sys.stderr.write(f"{error.filename or given.package}: {error.strerror}; nothing half-written is left\n")
        return 2
    states = "; ".join(f"{count} {state}" for state, count in table["state"].value_counts().items())
    folders = counted(table["folder"].nunique(), "folder")
    sys.stdout.write(f"{counted(len(table), 'registration')} of {folders}: {states}\n")
    unnamed = set(alignment.rows) - set(table["registry_name"])
    sys.stdout.write(f"Names in the scores file that no folder registers: {len(unnamed)}\n")
    for row in table[table["state"] == "unread"].itertuples():
        sys.stdout.write(f"unread: models/{row.folder}/__init__.py, line {row.line}: {row.registry_name}\n")
    for remark in alignment.remarks:
        sys.stdout.write(f"{remark}\n")
    sys.stdout.write(f"The table is {given.out}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
