"""Write the analysis of a complete or incomplete run: `python -m aggregate RUN`.

Exit code 0: every planned pair is ok. 1: the analysis is written, but some pairs are not ok; the FINAL node's exit
code is also that of the DAG. 2: an input is invalid and nothing is written.
"""

import argparse
import os
import sys
from functools import partial
from pathlib import Path

from alignsec import terminal
from alignsec.command import INPUT_ERROR, explain_missing, run_command
from alignsec.console import TerminalConsole
from alignsec.display import Display
from alignsec.errors import ConfigErrors
from alignsec.run.event_log import EventLog
from alignsec.run.folder import RunFolder
from alignsec.run.status import FEW_PAIRS

try:
    from aggregate.analysis import analyse
except ModuleNotFoundError as missing:
    sys.exit(explain_missing(missing, "all"))

NOTE = "no partly written file is left"


def main(argv: list[str]) -> int:
    """Run the command with these arguments and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m aggregate", description=__doc__.splitlines()[0])
    parser.add_argument("run", metavar="RUN", type=Path, help="run folder, which contains plan.json")
    parser.add_argument(
        "--outcomes", type=Path, help="folder or tar archive of outcome files (default: RUN/outcomes)"
    )
    parser.add_argument(
        "--events",
        type=Path,
        help="HTCondor's event log of the run (default: RUN/study.dag.nodes.log, if it exists)",
    )
    parser.add_argument("--out", type=Path, help="output folder (default: RUN/analysis)")
    parser.add_argument(
        "-j",
        "--jobs",
        type=_parse_processes,
        default=len(os.sched_getaffinity(0)),
        metavar="N",
        help=f"processes that read outcomes if there are more than {FEW_PAIRS:,} (default: one per core)",
    )
    return run_command(partial(_run, parser.parse_args(argv)), NOTE, os_error=INPUT_ERROR)


def _run(given: argparse.Namespace) -> int:
    folder = RunFolder(given.run)
    if given.outcomes is not None and not given.outcomes.exists():
        raise ConfigErrors.about("--outcomes", "not found", given=str(given.outcomes))
    events = EventLog(given.events or folder.events)
    with Display(TerminalConsole(stderr=True)) as display:
        analysis = analyse(
            folder,
            given.outcomes or folder.outcomes,
            events,
            given.out or folder.analysis,
            given.jobs,
            display,
        )
    terminal.write(sys.stdout, f"The report is at {analysis.report}\n")
    sys.stdout.flush()
    terminal.write(sys.stderr, "".join(f"{sentence}\n" for sentence in analysis.failed))
    if analysis.not_ok:
        terminal.write(
            sys.stderr, f"{analysis.not_ok} of {analysis.planned} pairs are not ok; {analysis.report} lists them\n"
        )
        return 1
    return 0


def _parse_processes(given: str) -> int:
    if given.isdecimal() and int(given) > 0:
        return int(given)
    raise argparse.ArgumentTypeError(f"{given!r} is not a number of processes; expected 1 or more")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
