"""The table of a fault campaign: fault, how it was detected, and outcome."""

import json
import platform
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.faults.result import BAD, ResultFile, SeedResult

DOUBLE = "two faults"


def summarise(results: Iterable[SeedResult]) -> list[dict[str, Any]]:
    """Return a row for each kind of fault; all seeds with two faults are one row."""
    groups: dict[str, list[SeedResult]] = {}
    for result in results:
        groups.setdefault(result.kinds[0] if len(result.kinds) == 1 else DOUBLE, []).append(result)
    rows = []
    for fault, group in sorted(groups.items()):
        detected = Counter(text for result in group for text in result.detected or ["nothing to detect"])
        row = {
            "fault": fault,
            "seeds": len(group),
            "faults": sum(len(result.happened) for result in group),
            "detected_as": [text for text, _ in detected.most_common(3)],
            "outcome": dict(Counter(result.outcome for result in group).most_common()),
        }
        rows.append({**row, **{name: sum(getattr(result, name) for result in group) for name in BAD}})
    return rows


def write(path: Path, file: ResultFile) -> None:
    """Write the totals and the rows as JSON."""
    results = file.results
    totals = {name: sum(getattr(result, name) for result in results) for name in BAD}
    content = {
        "seeds": len(results),
        "faults": sum(len(result.happened) for result in results),
        **totals,
        "hours": round(file.seconds / 3600, 2),
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "rows": summarise(results),
    }
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def format_table(results: list[SeedResult]) -> str:
    """Return the table as text."""
    lines = [f"{'fault':34}  {'detected as':60}  outcome"]
    for row in summarise(results):
        outcome = "; ".join(f"{count} x {text}" for text, count in row["outcome"].items())
        lines.append(f"{row['fault']:34}  {row['detected_as'][0][:60]:60}  {outcome}")
    counts = ", ".join(f"{sum(getattr(result, name) for result in results)} {name}" for name in BAD)
    faults = sum(len(result.happened) for result in results)
    return "\n".join([*lines, f"{len(results)} seeds, {faults} faults: {counts}", ""])
