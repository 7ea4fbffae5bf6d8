"""Entry point: `python -m submit.failures RUN` groups failed pairs by cause and shows how to reproduce them."""

import argparse
import re
import shlex
import sys
from collections import Counter, defaultdict
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from rich.markup import escape

from alignsec import bounded, limits
from alignsec.command import INCOMPLETE, SUCCESS, run_command
from alignsec.console import TerminalConsole
from alignsec.garbage_collection import rare_collections
from alignsec.run import event_log, status
from alignsec.run.event_log import EventLog
from alignsec.run.folder import RunFolder
from alignsec.run.pair_shard import shard_name
from alignsec.run.plan import Plan, PlannedPair
from alignsec.run.status import PairStatus
from submit.condor.dag import FINAL_NODE
from submit.monitor import final_node
from submit.monitor.dagman_output import DagmanOutput
from submit.outcome_states import OutcomeStates

PAIRS_PER_CAUSE = 5
LOG_LINES = 8
MACHINES = 10
DESCRIPTION = "Group the failed pairs of a run by cause, and show how to reproduce them."
NOTE = "the run is not affected"


def main() -> int:
    """Read the arguments and print the failures.

    Returns:
        0 if no pair failed, 1 if some did, 2 if the folder is not a run, 130 after Ctrl-C.
    """
    parser = argparse.ArgumentParser(prog="python -m submit.failures", description=DESCRIPTION)
    parser.add_argument("run", type=Path, help="the run folder, such as runs/demo")
    arguments = parser.parse_args()
    with rare_collections():
        return run_command(partial(_print_failures, RunFolder(arguments.run.resolve())), NOTE)


def _print_failures(folder: RunFolder) -> int:
    console = TerminalConsole(soft_wrap=True, highlight=False)
    plan, events = Plan.read(folder), EventLog(folder.events, folder.event_histories)
    failures = find_failures(plan, folder, events)
    events.save()
    planned = {one.pair.id: (index, one) for index, one in enumerate(plan.planned)}
    for cause, pairs in group_by_cause(failures).items():
        console.print(f"\n[bold]{len(pairs)} × {escape(cause)}[/bold]")
        for pair in pairs[:PAIRS_PER_CAUSE]:
            console.print(f"  {pair.id}: {escape(pair.reason)}")
            console.print(f"    to reproduce it, run: {escape(reproduction_command(folder, *planned[pair.id]))}")
        if len(pairs) > PAIRS_PER_CAUSE:
            console.print(f"  ... and {len(pairs) - PAIRS_PER_CAUSE} more")
        for line in read_log_tail(folder, pairs[0].id):
            console.print(f"    | {escape(line)}")
    console.print(f"\n{len(failures)} of {len(plan.planned)} pairs failed" if failures else "no pair failed")
    for machine, count in find_failing_machines(events).items():
        console.print(f"{count} jobs failed on {machine}; to avoid it, set REQUIREMENTS", markup=False)
    analysis = find_analysis_failure(folder, events)
    if analysis:
        console.print(f"the analysis: {analysis}", markup=False)
    return INCOMPLETE if failures or analysis else SUCCESS


def find_failing_machines(events: EventLog) -> dict[str, int]:
    """Return the machines on which several jobs failed, with the number of jobs, the most first.

    Jobs count also if a retry on another machine succeeded, and not if their request was invalid.
    """
    hosts = (host for history in events.nodes.values() for host in history.failed_hosts if host)
    counts = Counter(host.rpartition("@")[2] for host in hosts)
    return {machine: count for machine, count in counts.most_common(MACHINES) if count > 1}


def find_analysis_failure(folder: RunFolder, events: EventLog) -> str:
    """Return why this submission has no report; empty if it has one, or its FINAL node has not ended."""
    job = event_log.find_last_job(folder.dagman_log)
    if job is None:
        return ""
    history = events.nodes.get(FINAL_NODE)
    problem = DagmanOutput(folder.dagman_output, folder.node_status).update().get(FINAL_NODE)
    report = final_node.is_of_submission(folder.report, job.submitted)
    is_held = history is not None and history.state == "held"
    if report or not (job.ended or problem or is_held or final_node.is_over(history)):
        return ""
    return final_node.describe_final(history, problem, dag_ended=job.ended, report=report)


def find_failures(plan: Plan, folder: RunFolder, events: EventLog) -> list[PairStatus]:
    """Return the pairs that failed or whose jobs were held, removed, or ended without an outcome.

    Raises:
        OSError: The run's files cannot be read.
    """
    problems = DagmanOutput(folder.dagman_output, folder.node_status).update()
    states = OutcomeStates(folder, plan.code_sha256)
    failures = []
    for pair in plan:
        if states.find(pair.id)[0] == "ok":
            continue
        found = status.read_pair_status(pair, folder.outcome(pair.id), events.nodes.get(pair.id))
        problem = problems.get(pair.id) if found.state == "missing" else None
        if problem is not None and not (found.history and found.history.state in ("running", "idle")):
            failures.append(replace(found, reason=problem.reason))
        elif found.state == "failed" or (found.state == "missing" and _is_job_lost(found)):
            failures.append(found)
    states.save()
    return failures


def _is_job_lost(pair: PairStatus) -> bool:
    return pair.history is not None and pair.history.state in ("held", "removed", "ended")


def group_by_cause(failures: list[PairStatus]) -> dict[str, list[PairStatus]]:
    """Group failures by cause, the most frequent first.

    A cause is the failure's reason without the names, numbers and digests that differ from pair to pair.
    """
    groups: dict[str, list[PairStatus]] = defaultdict(list)
    for pair in failures:
        reason = pair.reason
        if pair.pair is not None:
            # The id first: it contains the model's name. Only as whole words: a model may be called "a".
            for text, placeholder in ((pair.id, "PAIR"), (pair.pair.model.name, "MODEL")):
                reason = re.sub(rf"(?<![\w-]){re.escape(text)}(?![\w-])", placeholder, reason)
        groups[re.sub(r"\b[0-9a-f]{12}\b|\d+", "N", reason)].append(pair)
    return dict(sorted(groups.items(), key=lambda group: -len(group[1])))


def read_log_tail(folder: RunFolder, pair_id: str) -> list[str]:
    """Return the last lines that a pair's job printed: its errors, or its output if there are none."""
    for path in (folder.error_output(pair_id), folder.log(pair_id), folder.output(pair_id)):
        with suppress(OSError, bounded.NotAFileError):
            data = bounded.read_regular(path, 0, tail=limits.LOG_TAIL_BYTES)
            if lines := data.decode(errors="replace").splitlines():
                return lines[-LOG_LINES:]
    return []


def reproduction_command(folder: RunFolder, index: int, planned: PlannedPair) -> str:
    """Return a shell command that runs one pair on this machine, in an empty folder, as its job does.

    Args:
        folder: The run folder.
        index: The pair's position in the plan.
        planned: The pair.
    """
    pair_id = planned.pair.id
    file, options = folder.pair_file(shard_name(index)), f" --pair {pair_id}"
    if not file.exists() and folder.pair_file(pair_id).exists():
        file, options = folder.pair_file(pair_id), ""  # a run of an earlier version
    links = " ".join(shlex.quote(str(path)) for path in (file, *map(folder.input, planned.inputs)))
    code = shlex.quote(str(folder.code))
    job = f"PYTHONSAFEPATH=1 PYTHONPATH={code} {shlex.quote(sys.executable)} -m jobs.evaluate {file.name}{options}"
    return f'cd "$(mktemp -d)" && ln -s {links} . && {job}'


if __name__ == "__main__":
    sys.exit(main())
