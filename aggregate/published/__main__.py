"""The entry point: `python -m aggregate.published FILE.csv --scores FILE` analyses published robust accuracies.

Exit code 0: the analysis is written. 2: nothing was written, and what to mend is said.
"""

import argparse
import sys
from functools import partial
from pathlib import Path

from aggregate.published.analysis import analyse_published
from alignsec.command import INPUT_ERROR, run_command
from alignsec.errors import ConfigError, ConfigErrors

NOTE = "no partly written file is left"


def main(argv: list[str]) -> int:
    """Run the command with these arguments and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m aggregate.published", description=__doc__.splitlines()[0])
    parser.add_argument(
        "file", metavar="FILE", type=Path,
        help="a CSV of robust accuracies: tidy (model, attack, eps, robust_accuracy, clean_accuracy), "
        "RobustBench's (id, eps, clean, aa), long (Model Name, Epsilon, Top-1 Accuracy), or wide "
        "(Model Name, Top-1 Accuracy Linf 0.00392)",
    )  # fmt: skip
    parser.add_argument("--scores", metavar="FILE", type=Path, required=True, help="alignment scores, any form")
    parser.add_argument("--label", default="", help="what these scores are, in a line for the report")
    parser.add_argument("--images", type=int, help="on how many images every accuracy was counted")
    parser.add_argument("--out", type=Path, help="the folder to write (default: analysis-FILE beside the file)")
    return run_command(partial(_run, parser.parse_args(argv)), NOTE, os_error=INPUT_ERROR)


def _run(given: argparse.Namespace) -> int:
    file: Path = given.file
    errors = [
        ConfigError(path=name, given=str(path), remedy="is not a file")
        for name, path in (("FILE", file), ("--scores", given.scores))
        if not path.is_file()
    ]
    if given.images is not None and given.images < 1:
        errors.append(
            ConfigError(path="--images", given=str(given.images), remedy="is no number of images; write 1 or more")
        )
    out = given.out or file.with_name(f"analysis-{file.stem}")
    if out.exists() and not out.is_dir():
        errors.append(ConfigError(path="--out", given=str(out), remedy="is a file; name a folder"))
    if errors:
        raise ConfigErrors(errors)
    report, met = analyse_published(file, given.scores, given.label, out, given.images)
    sys.stdout.write(f"{met}\nThe report is at {report}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
