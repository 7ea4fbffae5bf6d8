"""`python -m studies.demo [FOLDER]`: make the demo study's images, weights and scores, unless they are there."""

import argparse
import os
import sys
import time
import tomllib
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from alignsec.command import INCOMPLETE, SUCCESS, run_command
from studies.demo.listing import STUDY_FILE, ListingError, read_models
from studies.demo.manifest import digest_sources, is_current

if TYPE_CHECKING:
    from studies.demo.preparation import MadeModel

ASSETS = Path(__file__).parent / "assets"


def main(arguments: list[str]) -> int:
    """Run the command; return its exit code: 0; 1 with one line that says what is wrong; 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m studies.demo", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=ASSETS, help="default: %(default)s")
    cores = len(os.sched_getaffinity(0))
    parser.add_argument(
        "-j", type=int, default=cores, metavar="N", help="models made at a time (default: %(default)s)"
    )
    options = parser.parse_args(arguments)
    if options.j < 1:
        parser.error(f"-j {options.j}: at least 1")
    console = Console(highlight=False, markup=False, soft_wrap=True)
    return run_command(
        partial(_prepare, options.folder.absolute(), options.j, console),
        "the folder is unchanged",
        expected={ListingError: INCOMPLETE, tomllib.TOMLDecodeError: INCOMPLETE},
    )


def _prepare(folder: Path, processes: int, console: Console) -> int:
    entries = read_models(STUDY_FILE)
    sources = digest_sources(entries)
    if is_current(folder, sources):
        console.print(f"{folder}: complete and up to date")
        return SUCCESS
    console.print(f"Making {len(entries)} models of handwritten digits, {processes} at a time; under a minute")
    # Only now: torch takes seconds to import, and assets that are up to date need none of it.
    from studies.demo.preparation import make_assets  # noqa: PLC0415

    start = time.perf_counter()
    with ExitStack() as stack:
        show = _progress(stack, console, len(entries))
        make_assets(folder, entries, sources, processes=processes, on_made=show)
    console.print(f"{folder}: made in {time.perf_counter() - start:.0f} s")
    return SUCCESS


def _progress(stack: ExitStack, console: Console, total: int) -> "Callable[[MadeModel], None]":
    """Return what to call for each model: it prints a line, above a bar where there is a terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    progress = stack.enter_context(Progress(*columns, console=console, disable=not console.is_terminal))
    task = progress.add_task("models", total=total)

    def show(made: "MadeModel") -> None:
        progress.advance(task)
        top1 = made.scores["digits-top1"]
        console.print(f"  {made.name}: {top1:.1%} of held-out digits right, {made.seconds:.1f} s")

    return show


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
