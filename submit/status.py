"""Entry point: `python -m submit.status RUN` says what a run is doing, from its files alone."""

import argparse
import json
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from alignsec import command
from alignsec.run.folder import RunFolder
from submit.monitor.run_status import STATES, PairNow, RunStatus, Watch

REFRESH_SECONDS = 2.0
MOST_ROWS = 15
NOTE = "the run is not affected"


def main() -> int:
    """Read the arguments and show the run: 0, or 2 if the folder is no run."""
    parser = argparse.ArgumentParser(prog="python -m submit.status", description=__doc__)
    parser.add_argument("run", type=Path, help="the run folder, such as runs/demo")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--json", action="store_true", help="for programs")
    how.add_argument("--once", action="store_true", help="say it once, also on a terminal")
    return command.run_command(partial(_print_status, parser.parse_args()), NOTE)


def _print_status(arguments: argparse.Namespace) -> int:
    console = Console(soft_wrap=True)
    watch = Watch(RunFolder(arguments.run.resolve()))
    if arguments.json:
        sys.stdout.write(json.dumps(watch.look().as_json(), indent=1) + "\n")
    elif console.is_terminal and not arguments.once:
        # Ctrl-C leaves the live view; the run continues.
        with suppress(KeyboardInterrupt):
            follow(watch, Console())
    else:
        console.print(view(watch.look()))
    return command.SUCCESS


def follow(watch: Watch, console: Console) -> RunStatus:
    """Show a run until its DAG has ended; how it was then. Raises KeyboardInterrupt, OSError."""
    now = watch.look()
    with Live(view(now), console=console, auto_refresh=False) as live:
        while now.dag.startswith("running"):
            time.sleep(REFRESH_SECONDS)
            now = watch.look()
            live.update(view(now), refresh=True)
    return now


def view(now: RunStatus) -> Group:
    """A run's status for people: counts, what runs where and since when, what is held, what failed."""
    counts = ", ".join(f"{now.counts[state]} {state}" for state in STATES if now.counts[state])
    rate = f"; {now.pairs_per_hour:g} pairs/hour" if now.pairs_per_hour else ""
    left = f", {timedelta(seconds=now.seconds_left)} left at this rate" if now.seconds_left is not None else ""
    parts: list[Table | str] = [
        f"[bold]{escape(now.name)}[/bold]: DAG {now.dag}; {len(now.pairs)} pairs: {counts}{rate}{left}"
    ]
    for state, title in (("running", "Running"), ("held", "Held"), ("removed", "Removed"), ("failed", "Failed")):
        rows = [pair for pair in now.pairs if pair.state == state]
        if rows:
            parts.append(_table(title, state == "running", sorted(rows, key=lambda pair: pair.since), now.now))
    return Group(*parts)


def _table(title: str, running: bool, rows: list[PairNow], now: int) -> Table:
    more = f" (the last {MOST_ROWS} of {len(rows)})" if len(rows) > MOST_ROWS else ""
    table = Table(title=f"{title}{more}", title_justify="left", box=None, pad_edge=False)
    for column in ("pair", "since", *(("where", "images", "at most left") if running else ("reason",))):
        table.add_column(column, overflow="fold")
    for pair in rows[-MOST_ROWS:]:
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
