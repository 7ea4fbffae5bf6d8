"""The page docs/performance.md, written from the recorded measurements and a text on larger runs."""

from collections.abc import Sequence
from pathlib import Path

from alignsec import atomic
from benchmarks.scale.measurement import ScaleRow

TEXT = Path(__file__).with_name("larger_runs.md")
TARGETS = {
    ("plan", "make submit DRY=1, a new run"): 10.0,
    ("status", "make status, again"): 2.0,
    ("status", "make failures"): 2.0,
}
"""Seconds of processor time for 100,000 pairs."""
TARGET_PAIRS = 100_000
HEAD = """# Performance on large runs

`make bench PART=scale` measures commands on synthetic runs. It writes this page and
`benchmarks/results/scale.json`. Each command runs in a fresh process. Seconds are processor time, user and system.
A load above the number of cores means that other work shared the machine; processor times are then too long.
[engine.md](engine.md) measures the attack engine.

| command | pairs | seconds | peak memory (MB) | target (s) | load |
|---|---:|---:|---:|---:|---:|
"""


def write_page(rows: Sequence[ScaleRow], path: Path) -> None:
    """Write the page."""
    lines = [_line(row) for row in sorted(rows, key=lambda row: (row.part, row.case, row.pairs))]
    machines = ", ".join(sorted({row.machine for row in rows}))
    table = "\n".join(lines)
    text = f"{HEAD}{table}\n\nMachine: {machines}.\n\n{TEXT.read_text(encoding='utf-8')}"
    atomic.write_atomic(path, text.encode())


def _target(row: ScaleRow) -> str:
    target = TARGETS.get((row.part, row.case)) if row.pairs == TARGET_PAIRS else None
    return f"{target:g}" if target else ""


def _line(row: ScaleRow) -> str:
    """Return a row of the table."""
    values = (f"{row.pairs:,}", f"{row.seconds:.1f}", f"{row.peak_mb:,}", _target(row), f"{row.load:.1f}")
    return f"| {row.case} | {' | '.join(values)} |"
