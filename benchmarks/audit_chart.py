"""Charts of the audit's benchmark: cost ratios, coverage, and audits of real networks."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.chart import STYLE

CHART = Path(__file__).resolve().parents[1] / "docs" / "audit.png"
_INK, _RULE = "#1c1d21", "#d5d8de"
# Okabe & Ito 2008: distinguishable with every common colour vision deficiency; the markers differ too.
_SHARES = {
    "0.02": ("2 %", "#0072b2", "o"),
    "0.05": ("5 %", "#d55e00", "s"),
    "0.1": ("10 %", "#009e73", "^"),
    "0.2": ("20 %", "#cc79a7", "D"),
}
_TARGET_RATIO, _TARGET_COVERAGE = 10, 0.94
Row = dict[str, Any]


def draw(rows: list[Row], path: Path = CHART) -> None:
    """Draw the rows of benchmarks/results/audit.json."""
    simulated = [row for row in rows if row["kind"] == "simulation"]
    runs = [row for row in rows if row["kind"] == "run"]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.2, 6.0), dpi=200, layout="constrained")
        (near, far), (coverage, real) = figure.subplots(2, 2)
        _draw_ratios(near, simulated, "near images break")
        near.set_title("All broken survivors near, p = 1 %", loc="left")
        _draw_ratios(far, simulated, "far images break too")
        far.set_title("Near and far break equally, p = 1 %", loc="left")
        far.sharey(near)
        _draw_coverage(coverage, simulated)
        _draw_runs(real, runs)
        handles, labels = near.get_legend_handles_labels()
        figure.legend(handles, labels, title="Audited share", loc="outside upper right", ncols=4, frameon=False)
        path.parent.mkdir(exist_ok=True)
        figure.savefig(path)


def _draw_ratios(axes: Axes, rows: list[Row], case: str) -> None:
    for share, (label, colour, marker) in _SHARES.items():
        chosen = [row for row in rows if (row["case"], row["share"], row["p"]) == (case, share, 0.01)]
        x, y = [100 * row["survivors"] for row in chosen], [row["cost_ratio"] for row in chosen]
        axes.plot(x, y, color=colour, marker=marker, markersize=5, linewidth=1.4, label=label)
    axes.axhline(_TARGET_RATIO, color=_INK, linewidth=0.8, linestyle=":")
    axes.set_xticks([15, 30, 50])
    axes.set_ylim(bottom=0)
    axes.set_xlabel("images that survive the screen, %")
    axes.set_ylabel("times fewer passes,\nat equal variance")
    axes.grid(axis="y", color=_RULE, linewidth=0.6)


def _draw_coverage(axes: Axes, rows: list[Row]) -> None:
    """Draw the lowest and the highest coverage over survivors and shares, for each planted p."""
    planted = sorted({row["p"] for row in rows})
    kinds = {
        "coverage_exact": ("exact", "#0072b2", "o", -0.12),
        "coverage_pooled": ("pooled", "#d55e00", "s", 0.12),
    }
    for name, (label, colour, marker, shift) in kinds.items():
        for at, p in enumerate(planted):
            values = [100 * row[name] for row in rows if row["p"] == p]
            ends = [min(values), max(values)]
            axes.plot(2 * [at + shift], ends, color=colour, linewidth=2)
            axes.plot(2 * [at + shift], ends, color=colour, marker=marker, markersize=5, linestyle="none",
                      label=label if at == 0 else None)  # fmt: skip
    axes.axhline(100 * _TARGET_COVERAGE, color=_INK, linewidth=0.8, linestyle=":")
    axes.set_xticks(range(len(planted)), [f"{100 * p:g}" for p in planted])
    axes.set_xlabel("p: survivors of the screen that the full attack breaks, %")
    axes.set_ylabel("coverage of the intervals, %")
    axes.set_title("Lowest and highest coverage", loc="left")
    axes.legend(frameon=False, loc="lower right")
    axes.grid(axis="y", color=_RULE, linewidth=0.6)


def _draw_runs(axes: Axes, rows: list[Row]) -> None:
    """Draw passes against the error of audits of real networks; nothing without rows."""
    if not rows:
        axes.set_axis_off()
        return
    for share, (_, colour, marker) in _SHARES.items():
        chosen = [row for row in rows if row["share"] == share]
        x, y = [row["passes_ratio"] for row in chosen], [100 * row["rms_error"] for row in chosen]
        axes.plot(x, y, color=colour, marker=marker, markersize=5, linestyle="none")
    axes.set_xlim(left=0)
    axes.set_xlabel("times fewer passes")
    axes.set_ylabel("rms error, percentage points")
    axes.set_title(f"Real networks ({len({(row['case'], row['eps']) for row in rows})} cases)", loc="left")
    axes.grid(axis="both", color=_RULE, linewidth=0.6)
