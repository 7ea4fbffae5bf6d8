"""Waiting for a DAG, with the same progress display as for pairs that run on this machine."""

import time

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
    report = folder.report
    ok = now.counts["ok"]
    if not report.exists():
        console.print(f"the analysis is missing; see {folder.error_output(FINAL)}")
        return INCOMPLETE
    console.print(f"{ok} of {len(now.pairs)} pairs are ok")
    console.print(f"The report is at {report}")
    return SUCCESS if ok == len(now.pairs) else INCOMPLETE


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
            if now.ended:
                return now
            time.sleep(POLL_SECONDS)
            now = monitor.read()
