"""Waiting for a DAG, with the same progress display as for pairs that run on this machine."""

import time
from collections import Counter

from rich.console import Console

from alignsec.command import INCOMPLETE, INTERRUPTED, SUCCESS
from alignsec.run.folder import FINAL, RunFolder
from submit.monitor.pair_display import PairDisplay
from submit.monitor.run_status import RunMonitor, RunStatus

POLL_SECONDS = 1.0
FINAL_STATES = ("ok", "failed", "removed")


def wait_for_run(console: Console, folder: RunFolder) -> int:
    """Show the progress of a submitted run until its DAG has ended.

    Ctrl-C stops the display, not the run.

    Returns:
        0 if every pair is ok and the analysis exists, 1 if not, 130 after Ctrl-C.
    """
    try:
        now = _show_progress(console, folder)
    except KeyboardInterrupt:
        console.print(f"the run continues; to see its progress, run: make status RUN={folder.root}")
        return INTERRUPTED
    ok = now.counts["ok"]
    for note in now.notes:
        console.print(note, markup=False)
    if not now.report:
        for reason in _missing_job_reasons(now):
            console.print(reason, markup=False)
        why = f": {now.final}" if now.final else ""
        console.print(f"the analysis is missing{why}; see {folder.error_output(FINAL)}", markup=False)
        return INCOMPLETE
    console.print(f"{ok} of {len(now.pairs)} pairs are ok")
    if now.final != "done":
        console.print(f"The analysis: {now.final}", markup=False)
    console.print(f"The report is at {folder.report}", markup=False)
    return SUCCESS if ok == len(now.pairs) else INCOMPLETE


def _missing_job_reasons(now: RunStatus) -> list[str]:
    """Return why pairs have no job, the most frequent reasons first."""
    reasons = Counter(pair.reason for pair in now.pairs if pair.reason and not pair.job and pair.state != "ok")
    return [f"{count} pairs: {reason}" for reason, count in reasons.most_common(3)]


def _show_progress(console: Console, folder: RunFolder) -> RunStatus:
    """Show the progress of a run until its DAG has ended; return its last status."""
    monitor = RunMonitor(folder)
    now = monitor.read()
    shown = {pair.id: pair.state for pair in now.pairs if pair.state == "ok"}
    with PairDisplay(console, monitor.plan, monitor.plan.image_count, shown) as display:
        while True:
            for pair in now.pairs:
                if pair.state in FINAL_STATES and shown.get(pair.id) != pair.state:
                    shown[pair.id] = pair.state
                    display.end(pair.id, pair.state + (f" ({pair.reason})" if pair.reason else ""))
                elif pair.state == "running":
                    display.set_images_done(pair.id, pair.images_done)
            if now.ended or now.stuck:
                return now
            time.sleep(POLL_SECONDS)
            now = monitor.read()
