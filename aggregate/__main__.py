"""The entry point: `python -m aggregate RUN` writes the analysis of a run, complete or not.

Exit code 0: every planned pair is ok. 1: the analysis is written, but some pairs are not ok; DAGMan takes
this code of its FINAL node for the run's own. 2: there is nothing to analyse, and what to mend is said.
"""

import argparse
import os
import sys
from functools import partial
from pathlib import Path

from rich.console import Console

from aggregate.analysis import analyse
from alignsec.command import INPUT_ERROR, run_command
from alignsec.display import Display
from alignsec.errors import ConfigErrors
from alignsec.run.event_log import EventLog
from alignsec.run.folder import RunFolder
from alignsec.run.status import FEW_PAIRS

NOTE = "no partly written file is left"


def main(argv: list[str]) -> int:
    """Run the command with these arguments and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m aggregate", description=__doc__.splitlines()[0])
    parser.add_argument("run", metavar="RUN", type=Path, help="the run's folder, which holds plan.json")
    parser.add_argument(
        "--outcomes", type=Path, help="a folder or tar archive of outcome files (default: RUN/outcomes)"
    )
    parser.add_argument(
        "--events",
        type=Path,
        help="HTCondor's event log of the run (default: RUN/study.dag.nodes.log, if it is there)",
    )
    parser.add_argument("--out", type=Path, help="the folder to write (default: RUN/analysis)")
    parser.add_argument(
        "-j",
        "--jobs",
        type=_processes,
        default=len(os.sched_getaffinity(0)),
        metavar="N",
        help=f"processes that read outcomes, where there are more than {FEW_PAIRS:,} (default: one a core)",
    )
    return run_command(partial(_run, parser.parse_args(argv)), NOTE, os_error=INPUT_ERROR)


def _run(given: argparse.Namespace) -> int:
    folder = RunFolder(given.run)
    if given.outcomes is not None and not given.outcomes.exists():
        raise ConfigErrors.about("--outcomes", "not found", given=str(given.outcomes))
    events = EventLog(given.events or folder.events)
    with Display(Console(stderr=True)) as display:
        done = analyse(
            folder,
            given.outcomes or folder.outcomes,
            events,
            given.out or folder.analysis,
            given.jobs,
            display,
        )
    sys.stdout.write(f"The report is at {done.report}\n")
    if done.not_ok:
        sys.stdout.flush()
        sys.stderr.write(f"{done.not_ok} of {done.planned} pairs are not ok; {done.report} lists them\n")
        return 1
    return 0


def _processes(given: str) -> int:
    if given.isdecimal() and int(given) > 0:
        return int(given)
    raise argparse.ArgumentTypeError(f"{given!r} is no number of processes; give 1 or more")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
