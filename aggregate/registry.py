"""Join Brain-Score's registry to alignment scores: `python -m aggregate.registry PACKAGE --scores FILE --out CSV`.

Exit code 0: the table is written. 2: an input is invalid and nothing is written.
"""

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Literal

from alignsec import atomic, terminal
from alignsec.catalogue import brainscore_registry
from alignsec.catalogue.brainscore_registry import Registration, RegistryError
from alignsec.command import INPUT_ERROR, explain_missing, run_command
from alignsec.errors import ConfigError, ConfigErrors

try:
    import pandas as pd

    from aggregate.collect.table import to_csv
    from aggregate.formatting import format_quantity
    from aggregate.scores import scores
    from aggregate.scores.scores import Scores
except ModuleNotFoundError as missing:
    sys.exit(explain_missing(missing, "all"))

NOTE = "no partly written file is left"
RegistrationState = Literal[
    "scored", "not scored", "left out: its rows differ", "registered before", "ambiguous", "unread"
]


def join_scores(registrations: Sequence[Registration], scores: Scores) -> pd.DataFrame:
    """Return one row per registration: folder, registry_name, state, line and the scores of a scored model.

    A name that several folders register is "ambiguous" and has no scores. A name that one folder registers
    twice is "registered before" in the second row.
    """
    folders = brainscore_registry.group_folders(registrations)
    previous: set[str] = set()
    rows: list[dict[str, object]] = []
    for each in registrations:
        row: dict[str, object] = {"folder": each.folder, "registry_name": each.name, "line": each.line}
        row["state"] = state = _classify(each, folders, previous, scores)
        if state in {"scored", "registered before"}:
            row |= scores.rows.get(each.name, {})
        if each.constant:
            previous.add(each.name)
        rows.append(row)
    columns = [column.name for column in scores.columns if column.level != "recomputed"]
    return pd.DataFrame(rows, columns=["folder", "registry_name", "state", "line", *columns])


def _classify(
    registration: Registration, folders: dict[str, list[str]], previous: set[str], scores: Scores
) -> RegistrationState:
    name = registration.name
    if not registration.constant:
        return "unread"
    if len(folders[name]) > 1:
        return "ambiguous"
    if name in previous:
        return "registered before"
    if name in scores.rows:
        return "scored"
    return "left out: its rows differ" if name in scores.contradicting else "not scored"


def _check_arguments(given: argparse.Namespace) -> None:
    """Raise ConfigErrors with every argument that names no usable file."""
    errors = []
    if not given.package.exists():
        errors.append(ConfigError(path="PACKAGE", given=str(given.package), remedy="not found"))
    if not given.scores.is_file():
        errors.append(ConfigError(path="--scores", given=str(given.scores), remedy="is not a file"))
    if not given.out.parent.is_dir() or given.out.is_dir():
        remedy = "must be a file in an existing folder"
        errors.append(ConfigError(path="--out", given=str(given.out), remedy=remedy))
    if errors:
        raise ConfigErrors(errors)


def main(argv: list[str]) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m aggregate.registry", description=__doc__.splitlines()[0])
    parser.add_argument(
        "package", metavar="PACKAGE", type=Path, help="folder or wheel of brainscore_vision (pip download)"
    )
    parser.add_argument(
        "--scores", metavar="FILE", type=Path, required=True, help="alignment scores in any format"
    )
    parser.add_argument("--out", metavar="CSV", type=Path, required=True, help="output file")
    return run_command(partial(_run, parser.parse_args(argv)), NOTE, os_error=INPUT_ERROR)


def _run(given: argparse.Namespace) -> int:
    _check_arguments(given)
    try:
        registrations = brainscore_registry.read_registrations(given.package)
    except RegistryError as error:
        remedy = str(error)
        raise ConfigErrors([ConfigError(path="PACKAGE", given=str(given.package), remedy=remedy)]) from None
    alignment = scores.parse_scores(given.scores.read_bytes())
    table = join_scores(registrations, alignment)
    atomic.write_atomic(given.out, to_csv(table))
    _report(table, alignment)
    terminal.write(sys.stdout, f"The table is {given.out}\n")
    return 0


def _report(table: pd.DataFrame, alignment: Scores) -> None:
    states = "; ".join(f"{count} {state}" for state, count in table["state"].value_counts().items())
    folders = format_quantity(table["folder"].nunique(), "folder")
    terminal.write(sys.stdout, f"{format_quantity(len(table), 'registration')} of {folders}: {states}\n")
    unregistered = set(alignment.rows) - set(table["registry_name"])
    terminal.write(sys.stdout, f"Names in the scores file that no folder registers: {len(unregistered)}\n")
    for row in table[table["state"].isin(["unread", "ambiguous"])].itertuples():
        where = f"models/{row.folder}/__init__.py, line {row.line}"
        terminal.write(sys.stdout, f"{row.state}: {where}: {row.registry_name}\n")
    for remark in alignment.remarks:
        terminal.write(sys.stdout, f"{remark}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
