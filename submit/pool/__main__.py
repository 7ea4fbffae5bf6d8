"""Command line of the pool: `python -m submit.pool up|down|status|env|run|clean`."""

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from rich.console import Console

from alignsec.command import run_command
from alignsec.console import TerminalConsole
from submit.pool.pool import Pool, PoolOptions, PoolUnavailableError
from submit.pool.private import clean, down, ensure, find, up

NOTE = "to stop a pool that is partly started, run `python -m submit.pool down`"
_UNAVAILABLE = 1
_NOT_UP = 3


def main(argv: Sequence[str]) -> int:
    """Run the command.

    Args:
        argv: The arguments.

    Returns:
        The exit code: 0 done, 1 no pool is available, 3 no pool is running. For `run CMD`, the exit code of CMD.
    """
    parser = _parser()
    arguments = parser.parse_args(argv)
    console = TerminalConsole(stderr=True, soft_wrap=True, highlight=False, markup=False)
    return run_command(partial(_run, parser, arguments, console), NOTE)


def _run(parser: argparse.ArgumentParser, arguments: argparse.Namespace, console: Console) -> int:
    try:
        return _act(arguments, console)
    except PoolUnavailableError as error:
        console.print(f"no pool available: {error}")
        return _UNAVAILABLE
    except BrokenPipeError:
        raise
    except (ValueError, OSError) as error:  # an invalid option or --extra file
        parser.error(str(error))


def _act(arguments: argparse.Namespace, console: Console) -> int:
    folder: Path = arguments.folder
    match arguments.command:
        case "up":
            options = _options(arguments)
            # With --suite the pool must be private, because PATH may contain an earlier pool of another suite.
            own = arguments.private or arguments.suite is not None
            pool = up(folder, options) if own else ensure(folder, os.environ, options)
            console.print(_describe(pool))
            return 0
        case "down":
            down(folder)
            console.print(f"no pool is running in {folder}; its queue is kept")
            return 0
        case "clean":
            clean(folder)
            console.print(f"removed {folder}")
            return 0
    found = find(folder, os.environ)
    if found is None:
        console.print(f"no pool is running; to start one, run: python -m submit.pool --folder {folder} up")
        return _NOT_UP
    return _use(found, arguments, console)


def _use(pool: Pool, arguments: argparse.Namespace, console: Console) -> int:
    if arguments.command == "env":
        before = pool.environment("")
        sys.stdout.write(f"export CONDOR_CONFIG={shlex.quote(before['CONDOR_CONFIG'])}\n")
        sys.stdout.write(f'export PATH={shlex.quote(before["PATH"])}"$PATH"\n')
        return 0
    if arguments.command == "run":
        return pool.run(arguments.argv, environ=os.environ, capture=False).returncode
    console.print(_describe(pool))
    pool.run(["condor_status", "-any"], environ=os.environ, capture=False)
    return pool.run(["condor_q", "-allusers", "-nobatch"], environ=os.environ, capture=False).returncode


def _describe(pool: Pool) -> str:
    kind = "private pool" if pool.owned else "existing HTCondor pool"
    return f"{kind}: running, jobs run as {pool.user}, CONDOR_CONFIG={pool.config}"


def _options(arguments: argparse.Namespace) -> PoolOptions:
    options = PoolOptions(
        suite=arguments.suite or PoolOptions.suite,
        cpus=arguments.cpus,
        memory_mb=arguments.memory_mb,
        gpus=arguments.gpus,
        extra=arguments.extra.read_text() if arguments.extra else "",
        apptainer=arguments.apptainer,
        root_as=arguments.root_as,
    )
    cache = os.environ.get("XDG_CACHE_HOME")
    return replace(options, cache=Path(cache) / "alignsec") if cache else options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m submit.pool", description="A private HTCondor pool.")
    parser.add_argument("--folder", type=Path, default=Path(".pool"), help="the pool's folder (default: .pool)")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    start = commands.add_parser("up", help="use an existing HTCondor pool, otherwise start a private one")
    start.add_argument(
        "--suite",
        choices=("trixie", "sid"),
        help="HTCondor of this Debian suite (trixie 23.9, sid 25.x); implies --private",
    )
    start.add_argument("--cpus", type=int, help="CPUs to offer (default: the machine's)")
    start.add_argument("--memory-mb", type=int, help="memory to offer, MB (default: the machine's)")
    start.add_argument("--gpus", metavar="KIND,COUNT", help='simulated GPUs: "4,2" is two A100-40GB')
    start.add_argument("--extra", type=Path, metavar="FILE", help="additional lines of condor_config")
    start.add_argument(
        "--apptainer", action="store_true", help="also install apptainer for the container universe"
    )
    start.add_argument(
        "--private", action="store_true", help="start a private pool even if another pool is usable"
    )
    start.add_argument(
        "--root-as",
        choices=("auto", "namespace", "capabilities"),
        default="auto",
        help="how a pool started by root becomes another user",
    )
    commands.add_parser("down", help="stop the pool and keep its queue")
    commands.add_parser("status", help="show the daemons and the queue")
    commands.add_parser("env", help='print shell commands; use: eval "$(python -m submit.pool env)"')
    commands.add_parser("clean", help="stop the pool and remove its folder and queue")
    for each in commands.choices.values():  # --folder is accepted before and after the command
        each.add_argument("--folder", type=Path, default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    runner = commands.add_parser("run", help="run a command as the pool's user")
    runner.add_argument("argv", nargs=argparse.REMAINDER, metavar="CMD")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
