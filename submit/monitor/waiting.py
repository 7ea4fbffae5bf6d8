"""Waiting for a DAG: the same display as pairs that run here, fed from the run's files."""

import time

from rich.console import Console

from alignsec.run.folder import FINAL, RunFolder
from submit.monitor.pair_display import PairDisplay
from submit.monitor.run_status import Watch

LOOK_EVERY_SECONDS = 1.0
NOTHING_LEFT = ("ok", "failed", "removed")


def wait(console: Console, folder: RunFolder) -> int:
    """Show a submitted run until its DAG has ended; 0 if every pair is ok and the analysis is there, else 1.

    An interrupt ends the watching, not the run.
    """
    watch = Watch(folder)
    now = watch.look()
    told = {pair.id: pair.state for pair in now.pairs if pair.state == "ok"}
    with PairDisplay(console, watch.plan, watch.plan.image_count, told) as display:
        while True:
            for pair in now.pairs:
                if pair.state in NOTHING_LEFT and told.get(pair.id) != pair.state:
                    told[pair.id] = pair.state
                    display.end(pair.id, pair.state + (f" ({pair.reason})" if pair.reason else ""))
                elif pair.state == "running":
                    display.set_images_done(pair.id, pair.images_done)
            if now.over:
                break
            time.sleep(LOOK_EVERY_SECONDS)
            now = watch.look()
    report = folder.report
    bad = len(now.pairs) - now.counts["ok"]
    if not report.exists():
        console.print(f"the analysis is missing; see {folder.error_output(FINAL)}")
        return 1
    console.print(f"{bad} of {len(now.pairs)} pairs are not ok" if bad else f"all {len(now.pairs)} pairs are ok")
    console.print(f"The report is at {report}")
    return 1 if bad else 0
