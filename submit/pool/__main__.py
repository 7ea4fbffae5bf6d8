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
from submit.pool.pool import Pool, PoolOptions, PoolUnavailable
from submit.pool.private import clean, down, ensure, find, up

NOTE = "to stop a pool that is partly started, run `python -m submit.pool down`"
_UNAVAILABLE = 1
_NOT_UP = 3


def main(argv: Sequence[str]) -> int:
    """Exit status of one command: 0, 1 when no pool can be had, 3 when none is up, or that of `run CMD`."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    console = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
    return run_command(partial(_run, parser, arguments, console), NOTE)


def _run(parser: argparse.ArgumentParser, arguments: argparse.Namespace, console: Console) -> int:
    try:
        return _act(arguments, console)
    except PoolUnavailable as error:
        console.print(f"no pool: {error}")
        return _UNAVAILABLE
    except BrokenPipeError:
        raise
    except (ValueError, OSError) as error:  # an option, or the --extra file
        parser.error(str(error))


def _act(arguments: argparse.Namespace, console: Console) -> int:
    folder: Path = arguments.folder
    match arguments.command:
        case "up":
            options = _options(arguments)
            # A suite is asked for by name; PATH may still hold an earlier pool's other one.
            own = arguments.private or arguments.suite is not None
            pool = up(folder, options) if own else ensure(folder, os.environ, options)
            console.print(_described(pool))
            return 0
        case "down":
            down(folder)
            console.print(f"no pool of {folder} is running; its queue is kept")
            return 0
        case "clean":
            clean(folder)
            console.print(f"removed {folder}")
            return 0
    found = find(folder, os.environ)
    if found is None:
        console.print(f"no pool is up: start one with `python -m submit.pool --folder {folder} up`")
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
    console.print(_described(pool))
    pool.run(["condor_status", "-any"], environ=os.environ, capture=False)
    return pool.run(["condor_q", "-allusers", "-nobatch"], environ=os.environ, capture=False).returncode


def _described(pool: Pool) -> str:
    whose = "private pool" if pool.owned else "the HTCondor that is here already"
    return f"{whose}: up, jobs run as {pool.user}, CONDOR_CONFIG={pool.config}"


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
    start = commands.add_parser("up", help="use the HTCondor that is here, else start a private pool")
    start.add_argument("--suite", choices=("trixie", "sid"), help="as --private; trixie has 23.9, sid 25.x")
    start.add_argument("--cpus", type=int, help="CPUs to offer (default: the machine's)")
    start.add_argument("--memory-mb", type=int, help="memory to offer, MB (default: the machine's)")
    start.add_argument("--gpus", metavar="KIND,COUNT", help='simulated GPUs: "4,2" is two A100-40GB')
    start.add_argument("--extra", type=Path, metavar="FILE", help="more lines of condor_config")
    start.add_argument("--apptainer", action="store_true", help="fetch apptainer too: the container universe")
    start.add_argument("--private", action="store_true", help="Debian's HTCondor even where another is usable")
    ways = ("auto", "namespace", "capabilities")
    start.add_argument("--root-as", choices=ways, default="auto", help="how root's pool avoids being root")
    commands.add_parser("down", help="end the pool; its queue is kept")
    commands.add_parser("status", help="what runs, and the queue")
    commands.add_parser("env", help='for a shell: eval "$(python -m submit.pool env)"')
    commands.add_parser("clean", help="end the pool and remove its folder and queue")
    for each in commands.choices.values():  # before or after the command
        each.add_argument("--folder", type=Path, default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    runner = commands.add_parser("run", help="run a command as the pool's user")
    runner.add_argument("argv", nargs=argparse.REMAINDER, metavar="CMD")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
