"""Entry point: `python -m benchmarks.scale` measures commands on large runs: benchmarks/results/scale.json.

Each command runs in a fresh process. `seconds` is processor time, user and system. The pairs do not run: outcomes
and event log are synthetic.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from alignsec import atomic
from alignsec.run.folder import RunFolder
from benchmarks import synthetic_run
from benchmarks.scale import synthetic_log, synthetic_study
from benchmarks.scale.measurement import ScaleRow, Usage, measure_command
from benchmarks.scale.page import write_page
from benchmarks.synthetic_run import Size

RESULTS = Path(__file__).parents[1] / "results" / "scale.json"
PAGE = Path(__file__).parents[2] / "docs" / "performance.md"
ATTACKS = 100
PARTS = ("plan", "status")


def measure_planning(pairs: int) -> Iterator[ScaleRow]:
    """Yield the cost of `make submit DRY=1` for a new study, and for the same study again."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        study = synthetic_study.write_study(folder / "study", pairs // ATTACKS, ATTACKS)
        env = folder / "env"
        env.write_text(f"RUNS={folder / 'runs'}\n", encoding="utf-8")
        words = ["-m", "submit", str(study), "--env", str(env), "--dry"]
        for case in ("make submit DRY=1, a new run", "make submit DRY=1, again"):
            yield _make_row("plan", case, pairs, measure_command(words))


def measure_status(pairs: int) -> Iterator[ScaleRow]:
    """Yield the cost of `make status` and `make failures` when all jobs have ended, first and again."""
    with tempfile.TemporaryDirectory() as place:
        folder = RunFolder(Path(place))
        plan = synthetic_run.write_plan(Size(models=pairs // ATTACKS, attacks=ATTACKS, images=50), folder)
        for pair_id, data in synthetic_run.generate_outcomes(plan):
            folder.outcome(pair_id).write_bytes(data)
        synthetic_log.write_log(folder.events, (pair.id for pair in plan), failed=0)
        for case, module, options in (
            ("make status, for the first time", "submit.status", ["--once"]),
            ("make status, again", "submit.status", ["--once"]),
            ("make failures", "submit.failures", []),
        ):
            used = measure_command(["-m", module, str(folder.root), *options])
            yield _make_row("status", case, pairs, used)


def _make_row(part: str, case: str, pairs: int, used: Usage) -> ScaleRow:
    return ScaleRow(
        part=part,
        case=case,
        pairs=pairs,
        seconds=round(used.seconds, 2),
        peak_mb=used.peak_mb,
        machine=f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}",
        load=round(os.getloadavg()[0], 1),
    )


def main() -> int:
    """Measure the parts, write the rows and the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--part", choices=PARTS, help="measure only this part; other rows are kept")
    parser.add_argument("--pairs", type=int, nargs="*", default=[10_000, 100_000], help="sizes of the runs")
    arguments = parser.parse_args()
    rows = [ScaleRow.model_validate(row) for row in json.loads(RESULTS.read_bytes())] if RESULTS.exists() else []
    measure = {"plan": measure_planning, "status": measure_status}
    for part in (arguments.part,) if arguments.part else PARTS:
        for pairs in arguments.pairs:
            for row in measure[part](pairs):
                rows = [one for one in rows if (one.part, one.case, one.pairs) != (part, row.case, pairs)]
                rows.append(row)
                # Written after each row, because a later one can fail.
                content = json.dumps([one.model_dump() for one in rows], indent=1)
                atomic.write_atomic(RESULTS, f"{content}\n".encode())
                sys.stdout.write(f"{row.model_dump_json()}\n")
                sys.stdout.flush()
    write_page(rows, PAGE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
