"""Entry point: `python -m submit.failures RUN` groups what went wrong by cause, and says how to see it here."""

import argparse
import re
import shlex
import sys
from collections import defaultdict
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from alignsec import command
from alignsec.run import status
from alignsec.run.event_log import EventLog
from alignsec.run.folder import RunFolder
from alignsec.run.plan import Plan, PlannedPair
from alignsec.run.status import PairStatus

MOST_OF_A_CAUSE = 5
LOG_LINES = 8
NOTE = "the run is not affected"


def main() -> int:
    """Read the arguments and tell: 0 if no pair failed, 1 if some did, 2 if the folder is no run."""
    parser = argparse.ArgumentParser(prog="python -m submit.failures", description=__doc__)
    parser.add_argument("run", type=Path, help="the run folder, such as runs/demo")
    arguments = parser.parse_args()
    return command.run_command(partial(_print_failures, RunFolder(arguments.run.resolve())), NOTE)


def _print_failures(folder: RunFolder) -> int:
    console = Console(soft_wrap=True, highlight=False)
    plan = Plan.read(folder)
    bad = failed(plan, folder)
    planned = {one.pair.id: one for one in plan.planned}
    for cause, pairs in by_cause(bad).items():
        console.print(f"\n[bold]{len(pairs)} × {escape(cause)}[/bold]")
        for pair in pairs[:MOST_OF_A_CAUSE]:
            console.print(f"  {pair.id}: {escape(pair.reason)}")
            console.print(f"    to see it here: {escape(reproduce(folder, planned[pair.id]))}")
        if len(pairs) > MOST_OF_A_CAUSE:
            console.print(f"  ... and {len(pairs) - MOST_OF_A_CAUSE} more")
        for line in log_tail(folder, pairs[0].id):
            console.print(f"    | {escape(line)}")
    console.print(f"\n{len(bad)} of {len(plan.planned)} pairs failed" if bad else "no pair failed")
    return command.INCOMPLETE if bad else command.SUCCESS


def failed(plan: Plan, folder: RunFolder) -> list[PairStatus]:
    """Pairs that failed, and those whose jobs were held, removed or died without an outcome."""
    events = EventLog(folder.events)
    found = status.survey(plan, folder.outcomes, events)
    return [pair for pair in found if pair.state == "failed" or (pair.state == "missing" and _in_trouble(pair))]


def _in_trouble(pair: PairStatus) -> bool:
    return pair.history is not None and pair.history.state in ("held", "removed", "ended")


def by_cause(bad: list[PairStatus]) -> dict[str, list[PairStatus]]:
    """Failures by cause: the reason without the names, numbers and digests that differ from pair to pair."""
    groups: dict[str, list[PairStatus]] = defaultdict(list)
    for pair in bad:
        reason = pair.reason
        if pair.pair is not None:
            reason = reason.replace(pair.pair.model.name, "MODEL").replace(pair.id, "PAIR")
        groups[re.sub(r"\b[0-9a-f]{12}\b|\d+", "N", reason)].append(pair)
    return dict(sorted(groups.items(), key=lambda group: -len(group[1])))


def log_tail(folder: RunFolder, pair_id: str) -> list[str]:
    """The last lines its job printed: errors if there were any, else output."""
    for path in (folder.error_output(pair_id), folder.log(pair_id), folder.output(pair_id)):
        if path.exists() and (lines := path.read_text(encoding="utf-8", errors="replace").splitlines()):
            return lines[-LOG_LINES:]
    return []


def reproduce(folder: RunFolder, planned: PlannedPair) -> str:
    """A shell command that runs one pair on this machine, in a folder of its own, as its job would have."""
    pair_id = planned.pair.id
    inputs = [folder.pair(pair_id), *(folder.input(path) for path in planned.inputs)]
    copies = " ".join(shlex.quote(str(path)) for path in inputs)
    code = shlex.quote(str(folder.code))
    job = f"PYTHONPATH={code} {shlex.quote(sys.executable)} -m jobs.evaluate {pair_id}.json"
    return f'cd "$(mktemp -d)" && ln -s {copies} . && {job}'


if __name__ == "__main__":
    sys.exit(main())
