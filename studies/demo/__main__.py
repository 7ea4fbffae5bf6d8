"""`python -m studies.demo [FOLDER]`: make the demo's images, weights and scores unless they are up to date."""

import argparse
import os
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from alignsec.command import SUCCESS, explain_missing, run_command
from alignsec.console import TerminalConsole
from alignsec.display import Display
from studies.demo.manifest import digest_sources, is_current
from studies.demo.networks import STUDY_FILE, read_networks

if TYPE_CHECKING:
    from studies.demo.preparation import TrainedModel

ASSETS = Path(__file__).parent / "assets"


def main(arguments: list[str]) -> int:
    """Run the command and return its exit code, one of those in `alignsec.command`."""
    parser = argparse.ArgumentParser(prog="python -m studies.demo", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=ASSETS, help="default: %(default)s")
    cores = len(os.sched_getaffinity(0))
    parser.add_argument(
        "-j", type=int, default=cores, metavar="N", help="models to train at a time (default: %(default)s)"
    )
    options = parser.parse_args(arguments)
    if options.j < 1:
        parser.error(f"-j {options.j}: must be at least 1")
    console = TerminalConsole(highlight=False, markup=False, soft_wrap=True)
    return run_command(partial(_prepare, options.folder.absolute(), options.j, console), "no asset was changed")


def _prepare(folder: Path, processes: int, console: Console) -> int:
    networks = read_networks(STUDY_FILE)
    sources = digest_sources(networks)
    if is_current(folder, sources):
        console.print(f"{folder}: complete and up to date")
        return SUCCESS
    console.print(
        f"Training {len(networks)} models on handwritten digits, {processes} at a time; this takes under a minute"
    )
    # Imported here because torch takes seconds to import, which assets that are up to date do not need.
    try:
        from studies.demo.preparation import make_assets  # noqa: PLC0415
    except ModuleNotFoundError as missing:
        sys.exit(explain_missing(missing, "all"))

    start = time.perf_counter()
    with Display(console) as display:
        display.begin("training", len(networks), unit="models")

        def report(trained: "TrainedModel") -> None:
            display.advance()
            top1 = trained.scores["digits-top1"]
            display.line(f"  {trained.name}: {top1:.1%} of held-out digits right, {trained.seconds:.1f} s")

        make_assets(folder, networks, sources, processes=processes, on_trained=report)
    console.print(f"{folder}: made in {time.perf_counter() - start:.0f} s")
    return SUCCESS


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
