"""The extremes: the benchmarks that go most with robust accuracy, and most against it, with intervals."""

from collections.abc import Iterator
from functools import partial

import pandas as pd
from matplotlib.axes import Axes

from aggregate.figures import split, style
from aggregate.figures.drawing import Drawing, Margins, Panel

DESCRIPTION = (
    "The ten highest and ten lowest of Spearman’s correlations between a benchmark and robust accuracy, with "
    "bootstrap intervals over models (95 %). Filled: q < 0.05 after Benjamini and Hochberg’s correction over all "
    "benchmarks. The ends of many are extreme by chance too: the table gives all of them."
)
_ENDS = 10
_LONGEST = 30


def ends(table: pd.DataFrame) -> pd.DataFrame:
    """The rows with the highest and the lowest Spearman r, highest first; all of few."""
    ranked = table[table["spearman_r"].notna()].sort_values(["spearman_r", "score"], ascending=[False, True])
    return ranked if len(ranked) <= 2 * _ENDS else pd.concat([ranked.head(_ENDS), ranked.tail(_ENDS)])


def draw(table: pd.DataFrame, axes: Axes, looks: dict[str, style.Look]) -> None:
    """Draw the ends of one budget's correlations; looks: by category."""
    shown = ends(table)
    style.rows(axes, list(shown["score"]), style.SMALL_POINTS + 0.5, _LONGEST)
    axes.axvline(0, color=style.MUTED, linewidth=0.8)
    if len(shown) == 2 * _ENDS:
        axes.axhline(_ENDS - 0.5, color=style.MUTED, linewidth=0.8, dashes=(4, 3))
    corrected = "spearman_q" if "spearman_q" in shown else "spearman_p"
    for category, look in looks.items():
        mine = (shown["category"] == category).to_numpy()
        rows, part = mine.nonzero()[0], shown[mine]
        axes.plot(
            [], [], linestyle="none", marker=look.marker, markersize=3.8, color=look.colour, label=_label(category)
        )
        if "spearman_low" in shown:
            axes.hlines(rows, part["spearman_low"], part["spearman_high"], color=look.colour, linewidth=1.0)
        for row, (r, q) in zip(rows, part[["spearman_r", corrected]].to_numpy(), strict=True):
            axes.plot(
                r, row, marker=look.marker, markersize=3.8, markeredgewidth=0.9, markeredgecolor=look.colour,
                markerfacecolor=look.colour if q < 0.05 else style.PAPER,
            )  # fmt: skip
    axes.set_xlim(-1.03, 1.03)
    axes.set_xticks([-1, -0.5, 0, 0.5, 1], labels=["−1", "−0.5", "0", "0.5", "1"])
    axes.set_xlabel("Spearman’s r with robust accuracy")
    axes.grid(visible=True, axis="x")
    axes.legend(
        loc="lower right", bbox_to_anchor=(1.02, 1.0), ncols=3, handletextpad=0.1, columnspacing=0.8,
        borderaxespad=0.2,
    )  # fmt: skip


def _label(category: str) -> str:
    return category.removesuffix("_vision") or "benchmarks"


def drawings(correlations: pd.DataFrame) -> Iterator[Drawing]:
    """One drawing an attack with at least two benchmarks, one panel a budget."""
    table = correlations[(correlations["level"] == "benchmark") & (correlations["eps_value"] > 0)]
    looks = style.looks(table["category"])
    for part in split.by_attack(table, "benchmark-extremes"):
        at_budgets = [rows for _, rows in part.rows.groupby("eps_value") if rows["spearman_r"].notna().sum() >= 2]
        if not at_budgets:
            continue
        panels = [
            Panel(
                f"{part.attack}, {split.budget(rows)}",
                partial(draw, rows, looks=looks),
                f"The highest and lowest of {rows['spearman_r'].notna().sum()} benchmarks’ correlations with "
                f"robust accuracy under {part.attack} at {split.budget(rows)}. The table of benchmarks holds all.",
            )
            for rows in at_budgets
        ]
        shown = [ends(rows) for rows in at_budgets]
        names = dict.fromkeys(name for rows in shown for name in rows["score"])
        yield Drawing(
            kind="benchmark-extremes",
            name=part.name,
            title="The benchmarks that go most with robustness, and against it",
            description=DESCRIPTION,
            rows=tuple(tuple(panels[at : at + 2]) for at in range(0, len(panels), 2)),
            width=style.PAGE / 2,
            height=0.65 + 0.15 * max(len(rows) for rows in shown),
            margins=Margins(left=style.names_width(names, style.SMALL_POINTS + 0.5, _LONGEST), right=0.14),
            one_key=True,
        )
