"""The entry point: `python -m aggregate.registry PACKAGE --scores FILE --out CSV` joins names to scores.

Exit code 0: the table is written. 2: nothing was written, and what to mend is said.
"""

import argparse
import ast
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Literal

import pandas as pd

from aggregate.collect.table import csv
from aggregate.formatting import counted
from aggregate.scores import scores
from aggregate.scores.scores import Scores
from alignsec import atomic
from alignsec.command import INPUT_ERROR, run_command
from alignsec.errors import ConfigError, ConfigErrors

NOTE = "no partly written file is left"
_REGISTRY = "model_registry"
_INIT = "__init__.py"

State = Literal["scored", "not scored", "left out: its rows differ", "registered before", "unread"]


@dataclass(frozen=True)
class Registered:
    """One registration."""

    folder: str
    name: str
    """As it is registered; for one that is unread, the source of its key, or why the file could not be read."""
    line: int
    constant: bool = True
    """False where only running the code would tell the name."""


def read(package: Path) -> list[Registered]:
    """All registrations of a package, by folder and line.

    package: the folder brainscore_vision, one that holds it, or a wheel or zip of it. Raises Mistakes if it holds
    no `models/*/__init__.py` or cannot be opened; OSError if a file cannot be read.
    """
    sources = list(_zipped(package) if package.is_file() else _unpacked(package))
    if not sources:
        remedy = "holds no models/*/__init__.py; name brainscore_vision's folder or its wheel"
        raise ConfigErrors([ConfigError(path="PACKAGE", given=str(package), remedy=remedy)])
    return [found for folder, source in sorted(sources) for found in _registrations(folder, source)]


def _unpacked(package: Path) -> Iterator[tuple[str, bytes]]:
    models = next(
        (at / "models" for at in (package, package / "brainscore_vision") if (at / "models").is_dir()), None
    )
    if models is not None:
        for path in models.glob(f"*/{_INIT}"):
            yield path.parent.name, path.read_bytes()


def _zipped(package: Path) -> Iterator[tuple[str, bytes]]:
    try:
        with zipfile.ZipFile(package) as archive:
            for name in archive.namelist():
                *above, models, folder, file = ("", "", *PurePosixPath(name).parts)[-4:]
                if (models, file) == ("models", _INIT) and above[-1] in {"", "brainscore_vision"}:
                    yield folder, archive.read(name)
    except zipfile.BadZipFile as error:
        raise ConfigErrors(
            [ConfigError(path="PACKAGE", given=str(package), remedy=f"is neither a folder nor a wheel: {error}")]
        ) from None


def _registrations(folder: str, source: bytes) -> Iterator[Registered]:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError) as error:
        yield Registered(folder, f"is not Python: {error}", getattr(error, "lineno", 0) or 0, constant=False)
        return
    found = [each for node in ast.walk(tree) for each in _keys(node)]
    for key in sorted(found, key=lambda key: (key.lineno, key.col_offset)):
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            yield Registered(folder, key.value, key.lineno)
        else:
            yield Registered(folder, ast.unparse(key), key.lineno, constant=False)


def _keys(node: ast.AST) -> Iterator[ast.expr]:
    """The keys under which a statement registers something; of a call such as update(), its arguments."""
    if isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for target in targets:
            if isinstance(target, ast.Subscript) and _is_registry(target.value):
                yield target.slice
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and _is_registry(node.func.value):
        for argument in node.args:
            yield from (key for key in argument.keys if key) if isinstance(argument, ast.Dict) else [argument]


def _is_registry(node: ast.expr) -> bool:
    return (isinstance(node, ast.Name) and node.id == _REGISTRY) or (
        isinstance(node, ast.Attribute) and node.attr == _REGISTRY
    )


def translation(registered: list[Registered], scores: Scores) -> pd.DataFrame:
    """One row a registration: folder, registry_name, state, line, and each score of a model that is scored.

    A name that an earlier folder has registered is left to that one.
    """
    taken: set[str] = set()
    contradicting = set(scores.contradicting)
    rows: list[dict[str, object]] = []
    for each in registered:
        row: dict[str, object] = {"folder": each.folder, "registry_name": each.name, "line": each.line}
        if not each.constant:
            state: State = "unread"
        elif each.name in taken:
            state = "registered before"
        elif each.name in scores.rows:
            state = "scored"
        else:
            state = "left out: its rows differ" if each.name in contradicting else "not scored"
        if each.constant:
            taken.add(each.name)
            row |= scores.rows.get(each.name, {})
        rows.append(row | {"state": state})
    columns = [column.name for column in scores.columns if column.level != "recomputed"]
    return pd.DataFrame(rows, columns=["folder", "registry_name", "state", "line", *columns])


def main(argv: list[str]) -> int:
    """Run the command with these arguments and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m aggregate.registry", description=__doc__.splitlines()[0])
    parser.add_argument(
        "package", metavar="PACKAGE", type=Path, help="brainscore_vision: its folder, or its wheel (pip download)"
    )
    parser.add_argument("--scores", metavar="FILE", type=Path, required=True, help="alignment scores, any form")
    parser.add_argument("--out", metavar="CSV", type=Path, required=True, help="the table to write")
    return run_command(partial(_run, parser.parse_args(argv)), NOTE, os_error=INPUT_ERROR)


def _run(given: argparse.Namespace) -> int:
    errors = []
    if not given.package.exists():
        errors.append(ConfigError(path="PACKAGE", given=str(given.package), remedy="does not exist"))
    if not given.scores.is_file():
        errors.append(ConfigError(path="--scores", given=str(given.scores), remedy="is not a file"))
    if not given.out.parent.is_dir() or given.out.is_dir():
        errors.append(ConfigError(path="--out", given=str(given.out), remedy="is no file in a folder that exists"))
    if errors:
        raise ConfigErrors(errors)
    registered = read(given.package)
    alignment = scores.parse(given.scores.read_bytes())
    table = translation(registered, alignment)
    atomic.write(given.out, csv(table))
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
