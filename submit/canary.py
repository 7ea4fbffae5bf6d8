"""Canary: the cheapest pair of a study, run alone and end to end before the others are submitted.

It shows whether jobs match a machine, start in the image, use the device, receive their inputs and return their
outcome. Its outcome counts as a finished pair, and its measurements set the requests of later submissions.
"""

import time
from collections.abc import Collection, Mapping

from rich.console import Console

from alignsec.command import INCOMPLETE, INTERRUPTED, SUCCESS
from alignsec.run import outcome_file
from alignsec.run.folder import RunFolder
from alignsec.run.outcome import Record
from alignsec.run.plan import Plan
from submit.monitor.run_status import RunMonitor
from submit.monitor.waiting import POLL_SECONDS
from submit.requests.requests import ResourceRequests
from submit.requests.summary import format_duration


def choose_pair(plan: Plan, requested: Mapping[str, ResourceRequests], finished: Collection[str]) -> str | None:
    """Return the id of the pair without a result that has the shortest expected run time; None if all have one."""
    pending = [pair.id for pair in plan if pair.id not in finished]
    return min(pending, key=lambda pair_id: (requested[pair_id].seconds, pair_id), default=None)


def wait_for_canary(console: Console, folder: RunFolder, pair_id: str, requests: ResourceRequests) -> int:
    """Wait until the canary's DAG has ended, and print its state at each change, then its measurements.

    Ctrl-C stops the display, not the job.

    Returns:
        0 if the pair is ok, 1 if not, 130 after Ctrl-C.
    """
    monitor, shown = RunMonitor(folder), ""
    try:
        while True:
            now = monitor.read()
            pair = next(one for one in now.pairs if one.id == pair_id)
            state = f"{pair.state}: {pair.reason}" if pair.reason else pair.state
            if state != shown:
                console.print(f"{pair_id}: {state}", markup=False)
                shown = state
            if now.ended:
                break
            time.sleep(POLL_SECONDS)
    except KeyboardInterrupt:
        console.print(f"the canary continues; to see its progress, run: make status RUN={folder.root}")
        return INTERRUPTED
    if pair.state != "ok":
        console.print(f"the canary failed; see {folder.output(pair_id)} and {folder.error_output(pair_id)}")
        return INCOMPLETE
    record = outcome_file.read(folder.outcome(pair_id))
    if isinstance(record, Record):
        console.print(describe_measurements(record, requests), markup=False)
    console.print("the canary is ok and its result is kept; to run the other pairs, run: make submit")
    return SUCCESS


def describe_measurements(record: Record, requests: ResourceRequests) -> str:
    """Return a sentence with the machine, time and memory of a finished pair, next to its requests."""
    where = record.provenance
    memory = f", {where.peak_memory_mb} of {requests.memory_mb} MB of memory" if where.peak_memory_mb else ""
    gpu = f", {where.peak_gpu_memory_mb} MB of GPU memory" if where.peak_gpu_memory_mb else ""
    return (
        f"ran on {where.device} in {format_duration(where.seconds)} "
        f"(estimated {format_duration(requests.seconds)}){memory}{gpu}"
    )
