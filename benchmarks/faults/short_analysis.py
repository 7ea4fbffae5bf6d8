"""The analysis of a seed whose faults do not concern it: it reads the outcomes and draws no figure.

    python -m benchmarks.faults.short_analysis RUN --outcomes ARCHIVE [...]

The real analysis takes ten times the processor time of all pairs of a seed. Seeds whose fault hits FINAL or
its inputs run the real one.
"""

import sys
from functools import partial
from pathlib import Path

from alignsec.command import run_command
from alignsec.run import status
from alignsec.run.folder import RunFolder
from alignsec.run.plan import Plan


def main(arguments: list[str]) -> int:
    """Write analysis/pairs.csv and a page; return 1 if a pair is not ok, as the real analysis does."""
    folder = RunFolder(Path(arguments[0]))
    outcomes = folder.outcomes
    if "--outcomes" in arguments:
        outcomes = Path(arguments[arguments.index("--outcomes") + 1])
    pairs = list(status.read_statuses(Plan.read(folder), outcomes))
    folder.analysis.mkdir(exist_ok=True)
    lines = ["id,state", *(f"{pair.id},{pair.state}" for pair in pairs)]
    (folder.analysis / "pairs.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    folder.report.write_text("<!doctype html>\n", encoding="utf-8")
    return int(any(pair.state not in ("ok", "stale") for pair in pairs))


if __name__ == "__main__":
    sys.exit(run_command(partial(main, sys.argv[1:]), "the outcomes are kept"))
