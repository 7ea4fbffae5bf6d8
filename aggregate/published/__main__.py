"""Analyse published robust accuracies: `python -m aggregate.published FILE.csv --scores FILE`.

Exit code 0: the analysis is written. 2: an input is invalid and nothing is written.
"""

import argparse
import sys
from functools import partial
from pathlib import Path

from alignsec import terminal
from alignsec.command import INPUT_ERROR, explain_missing, run_command
from alignsec.errors import ConfigError, ConfigErrors

try:
    from aggregate.published.analysis import analyse_published
except ModuleNotFoundError as missing:
    sys.exit(explain_missing(missing, "all"))

NOTE = "no partly written file is left"


def main(argv: list[str]) -> int:
    """Run the command with these arguments and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m aggregate.published", description=__doc__.splitlines()[0])
    parser.add_argument(
        "file", metavar="FILE", type=Path,
        help="CSV file of robust accuracies: tidy (model, attack, eps, robust_accuracy, clean_accuracy), "
        "RobustBench's (id, eps, clean, aa), long (Model Name, Epsilon, Top-1 Accuracy), or wide "
        "(Model Name, Top-1 Accuracy Linf 0.00392)",
    )  # fmt: skip
    parser.add_argument(
        "--scores", metavar="FILE", type=Path, required=True, help="alignment scores in any format"
    )
    parser.add_argument("--label", default="", help="description of the scores, one line for the report")
    parser.add_argument(
        "--images", type=int, help="number of images of every accuracy for which the file has none"
    )
    parser.add_argument(
        "--names", metavar="FILE", type=Path,
        help="CSV file with the columns model and score_name, for models that the scores spell otherwise; the "
        "command proposes one as FILE-names.csv",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, help="output folder (default: analysis-FILE next to FILE)")
    return run_command(partial(_run, parser.parse_args(argv)), NOTE, os_error=INPUT_ERROR)


def _run(given: argparse.Namespace) -> int:
    file: Path = given.file
    errors = [
        ConfigError(path=name, given=str(path), remedy="is not a file")
        for name, path in (("FILE", file), ("--scores", given.scores), ("--names", given.names))
        if path is not None and not path.is_file()
    ]
    if given.images is not None and given.images < 1:
        errors.append(
            ConfigError(
                path="--images", given=str(given.images), remedy="must be a number of images of at least 1"
            )
        )
    out = given.out or file.with_name(f"analysis-{file.stem}")
    if out.exists() and not out.is_dir():
        errors.append(ConfigError(path="--out", given=str(out), remedy="is a file; expected a folder"))
    if errors:
        raise ConfigErrors(errors)
    report, summary = analyse_published(file, given.scores, given.label, out, given.images, given.names)
    terminal.write(sys.stdout, f"{summary}\nThe report is at {report}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
