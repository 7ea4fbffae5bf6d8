"""The chart of the audit's benchmark."""

import json
from pathlib import Path

import pytest

from benchmarks import audit_chart
from benchmarks.audit import RESULTS


@pytest.mark.parametrize("kinds", [("simulation",), ("simulation", "run")])
def test_the_recorded_rows_are_drawn(tmp_path: Path, kinds: tuple[str, ...]):
    """Expect a picture with and without rows of real networks."""
    rows = [row for row in json.loads(RESULTS.read_text(encoding="utf-8")) if row["kind"] in kinds]
    path = tmp_path / "audit.png"
    audit_chart.draw(rows, path)
    assert path.read_bytes().startswith(b"\x89PNG")


def test_the_recorded_coverage_and_savings_reach_the_targets():
    """Expect 94 % coverage in every row, and ten times fewer passes at 2 % for p = 1 % near the boundary."""
    rows = [row for row in json.loads(RESULTS.read_text(encoding="utf-8")) if row["kind"] == "simulation"]
    assert min(min(row["coverage_exact"], row["coverage_pooled"]) for row in rows) >= 0.94
    best = [
        row["cost_ratio"]
        for row in rows
        if (row["case"], row["p"], row["share"]) == ("near images break", 0.01, "0.02")
    ]
    assert len(best) == 3
    assert min(best) >= 10
