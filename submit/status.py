"""Entry point: `python -m submit.status RUN` shows the progress of a run, from its files alone."""

import argparse
import json
import sys
import time
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from alignsec.command import SUCCESS, run_command
from alignsec.console import TerminalConsole
from alignsec.garbage_collection import rare_collections
from alignsec.run.folder import RunFolder
from submit.monitor.run_status import STATES, PairSnapshot, RunMonitor, RunStatus

REFRESH_SECONDS = 2.0
MAX_ROWS = 15
NOTE = "the run is not affected"


def main() -> int:
    """Read the arguments and show the run.

    Returns:
        0, 2 if the folder is not a run, or 130 after Ctrl-C outside the live view.
    """
    parser = argparse.ArgumentParser(
        prog="python -m submit.status", description="Show the progress of a run, from its files alone."
    )
    parser.add_argument("run", type=Path, help="the run folder, such as runs/demo")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--json", action="store_true", help="print the status once, as JSON")
    how.add_argument("--once", action="store_true", help="print the status once, on a terminal too")
    with rare_collections():
        return run_command(partial(_print_status, parser.parse_args()), NOTE)


def _print_status(arguments: argparse.Namespace) -> int:
    console = TerminalConsole(soft_wrap=True)
    monitor = RunMonitor(RunFolder(arguments.run.resolve()))
    if arguments.json:
        sys.stdout.write(json.dumps(monitor.read().as_dict(), indent=1) + "\n")
    elif console.is_terminal and not arguments.once:
        # Ctrl-C leaves the live view; the run continues.
        with suppress(KeyboardInterrupt):
            show_live(monitor, TerminalConsole())
    else:
        console.print(render(monitor.read()))
    return SUCCESS


def show_live(monitor: RunMonitor, console: Console) -> RunStatus:
    """Show a run, updated every REFRESH_SECONDS, until its DAG has ended.

    Returns:
        The last status.

    Raises:
        OSError: The run's files cannot be read.
    """
    now = monitor.read()
    with Live(render(now), console=console, auto_refresh=False) as live:
        while now.dag.startswith("running"):
            time.sleep(REFRESH_SECONDS)
            now = monitor.read()
            live.update(render(now), refresh=True)
    return now


def render(now: RunStatus) -> Group:
    """Return a run's status for a terminal: counts, running pairs with host and progress, held and failed
    pairs."""
    counts = ", ".join(f"{now.counts[state]} {state}" for state in STATES if now.counts[state])
    rate = f"; {now.pairs_per_hour:g} pairs/hour" if now.pairs_per_hour else ""
    left = f", {timedelta(seconds=now.seconds_left)} left at this rate" if now.seconds_left is not None else ""
    parts: list[Table | str] = [
        f"[bold]{escape(now.name)}[/bold]: DAG {now.dag}; {len(now.pairs)} pairs: {counts}{rate}{left}"
    ]
    if now.final:
        parts.append(f"Analysis: {escape(now.final)}")
    parts.extend(escape(note) for note in now.notes)
    waiting = Counter(pair.reason for pair in now.pairs if pair.state == "waiting" and pair.reason)
    parts.extend(f"Waiting, {count} pairs: {escape(reason)}" for reason, count in waiting.most_common(MAX_ROWS))
    for state, title in (("running", "Running"), ("held", "Held"), ("removed", "Removed"), ("failed", "Failed")):
        rows = [pair for pair in now.pairs if pair.state == state]
        if rows:
            parts.append(_table(title, state == "running", sorted(rows, key=lambda pair: pair.since), now.now))
    return Group(*parts)


def _table(title: str, running: bool, rows: list[PairSnapshot], now: int) -> Table:
    more = f" (the last {MAX_ROWS} of {len(rows)})" if len(rows) > MAX_ROWS else ""
    table = Table(title=f"{title}{more}", title_justify="left", box=None, pad_edge=False)
    for column in ("pair", "since", *(("host", "images", "time left at most") if running else ("reason",))):
        table.add_column(column, overflow="fold")
    for pair in rows[-MAX_ROWS:]:
        since = f"{datetime.fromtimestamp(pair.since, UTC):%H:%M:%S} UTC" if pair.since else ""
        if not running:
            table.add_row(pair.id, since, escape(pair.reason))
            continue
        left = "" if pair.seconds_left is None else str(timedelta(seconds=pair.seconds_left))
        since += f" ({timedelta(seconds=max(0, now - pair.since))})"
        table.add_row(pair.id, since, escape(pair.host), f"{pair.images_done}/{pair.images}", left)
    return table


if __name__ == "__main__":
    sys.exit(main())
