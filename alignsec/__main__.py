"""The command `alignsec`: runs the commands of a checkout, such as `alignsec submit studies/x.toml`.

A command is a module of one of the rooms `submit`, `jobs` and `aggregate`. They are not part of the wheel: they
run from a checkout of the repository.
"""

import argparse
import os
import sys
from pathlib import Path

from alignsec.command import INPUT_ERROR

COMMANDS = {
    "submit": ("submit", "write a run folder and submit its DAG: alignsec submit studies/x.toml"),
    "local": ("submit", "run the pairs on this machine: alignsec local studies/x.toml -j 2"),
    "status": ("submit.status", "show the state of a run: alignsec status runs/x"),
    "failures": ("submit.failures", "show failures by cause: alignsec failures runs/x"),
    "aggregate": ("aggregate", "write the analysis of a run: alignsec aggregate runs/x"),
    "compare": ("aggregate.compare", "compare two runs image by image: alignsec compare runs/x runs/y"),
    "export": ("aggregate.export", "write a run for other tools: alignsec export runs/x"),
    "numbers": ("aggregate.published", "analyse published robust accuracies"),
    "weights": ("submit.weights", "download the models' weights: alignsec weights studies/x.toml"),
    "images": ("submit.images", "pack the study's images: alignsec images studies/x.toml"),
    "verify": ("jobs.verify", "check the adversarial examples of a run: alignsec verify runs/x"),
}
"""The module that runs each command, and its description."""


def find_checkout(here: Path, package: Path) -> Path | None:
    """Return the folder of the rooms: the current folder, or the one from which alignsec was imported.

    Args:
        here: The current folder.
        package: The folder of the package alignsec.
    """
    return next((root for root in (here, package.parent) if (root / "submit" / "__main__.py").is_file()), None)


def find_module(root: Path, module: str) -> bool:
    """Return True if a checkout has a module."""
    path = root / module.replace(".", "/")
    return path.with_suffix(".py").is_file() or (path / "__main__.py").is_file()


def main(argv: list[str] | None = None) -> int:
    """Run a command in place of this process.

    Args:
        argv: The command and its arguments; by default those of the process.

    Returns:
        An exit code, only if there is no such command.
    """
    given = sys.argv[1:] if argv is None else argv
    lines = "\n".join(f"  {name:10} {text}" for name, (_, text) in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="alignsec",
        usage="alignsec COMMAND ...",
        description="Measures whether more human-like vision models are more robust.",
        epilog=f"commands, each with --help:\n{lines}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=COMMANDS, metavar="COMMAND", help="one of the commands below")
    command = parser.parse_args(given[:1]).command
    module = COMMANDS[command][0]
    root = find_checkout(Path.cwd(), Path(__file__).resolve().parent)
    if root is None or not find_module(root, module):
        where = "this folder is not a checkout of the repository" if root is None else f"{root} has no {module}"
        sys.stderr.write(
            f"alignsec {command}: {where}. The installed package is the library only; "
            f"run the command in a checkout that has the module {module}\n"
        )
        return INPUT_ERROR
    more = ["--local"] if command == "local" else []
    paths = [str(root), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    sys.stdout.flush()
    return os.execve(sys.executable, [sys.executable, "-m", module, *given[1:], *more], environment)  # noqa: S606


if __name__ == "__main__":
    sys.exit(main())
