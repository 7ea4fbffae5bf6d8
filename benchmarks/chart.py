"""Chart of the benchmark: the reference's passes and time relative to the engine's, for each case."""

import textwrap
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

CHART = Path(__file__).resolve().parents[1] / "docs" / "bench.png"
_INK, _MUTED, _RULE = "#1c1d21", "#5c6068", "#d5d8de"
# Okabe & Ito 2008: distinguishable with every common colour vision deficiency; the markers differ too.
_MARKS = {
    "backward_ratio": ("backward passes", "#0072b2", "o"),
    "forward_ratio": ("forward passes", "#d55e00", "s"),
    "seconds_ratio": ("seconds", "#009e73", "^"),
}
STYLE = {
    "axes.edgecolor": _MUTED,
    "axes.labelcolor": _INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "font.family": ["DejaVu Sans"],
    "font.size": 8.0,
    "text.color": _INK,
    "xtick.color": _MUTED,
    "xtick.labelcolor": _INK,
    "ytick.labelcolor": _INK,
}

"""Settings of matplotlib for every chart of the benchmarks."""


def draw(rows: list[dict[str, Any]], path: Path = CHART) -> None:
    """Draw the first row of each case that compares with pyautoattack."""
    chosen: dict[str, dict[str, Any]] = {}
    for row in rows:
        if row["peer"] == "pyautoattack":
            chosen.setdefault(row["case"], row)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.2, 1.3 + 0.42 * len(chosen)), dpi=200, layout="constrained")
        axes = figure.add_subplot()
        labels = []
        for at, (case, row) in enumerate(chosen.items()):
            robust = "/".join(map(str, row["robust"]))
            labels.append("\n".join([*textwrap.wrap(case, 70), f"{robust} of {row['images']} images robust"]))
            ratios = [row[name] for name in _MARKS]
            axes.plot([min(ratios), max(ratios)], [at, at], color=_RULE, linewidth=2, zorder=1)
            for name, (_, colour, marker) in _MARKS.items():
                axes.plot(row[name], at, marker=marker, color=colour, markersize=5.5, linestyle="none", zorder=2)
        for text, colour, marker in _MARKS.values():
            axes.plot([], [], marker=marker, color=colour, markersize=5.5, linestyle="none", label=text)
        axes.set_xscale("log")
        ticks = [1, 2, 5, 10, 20, 50, 100]
        axes.set_xticks(ticks, labels=[f"{tick}x" for tick in ticks])
        axes.set_xticks([], minor=True)
        axes.axvline(1, color=_MUTED, linewidth=0.8, zorder=0)
        axes.grid(axis="x", color=_RULE, linewidth=0.6, zorder=0)
        axes.set_axisbelow(True)
        axes.set_yticks(range(len(labels)), labels=labels, fontsize=7)
        axes.tick_params(axis="y", length=0)
        axes.invert_yaxis()
        how = (
            f"with the reference's random numbers; Square with {rows[0]['queries']} queries\n{rows[0]['machine']}"
        )
        axes.set_xlabel(f"Reference (pyautoattack) relative to the engine\n{how}")
        axes.set_title("Same verdicts in fewer passes", loc="left")
        figure.legend(loc="outside upper right", ncols=3, frameon=False, fontsize=7.5)
        path.parent.mkdir(exist_ok=True)
        figure.savefig(path)
