"""The confound: what of a benchmark's correlation with robust accuracy remains beside clean accuracy."""

from collections.abc import Iterator
from functools import partial

import pandas as pd
from matplotlib.axes import Axes

from aggregate.figures import split, style
from aggregate.figures.drawing import Drawing, Margins, Panel

DESCRIPTION = (
    "Each point is a benchmark: Spearman’s correlation with robust accuracy (across) and what remains of it given "
    "clean accuracy (upwards). On the broken line clean accuracy explains nothing; near the level line it "
    "explains all. Filled: q < 0.05 given clean accuracy."
)


def draw(table: pd.DataFrame, axes: Axes, looks: dict[str, style.Look]) -> None:
    """Draw one budget's correlations that have both numbers; looks: by category."""
    known = table[table["spearman_r"].notna() & table["partial_r"].notna()]
    axes.plot([-1, 1], [-1, 1], color=style.MUTED, linewidth=0.8, dashes=(4, 3))
    axes.axhline(0, color=style.MUTED, linewidth=0.8)
    for category, look in looks.items():
        mine = known[known["category"] == category]
        if mine.empty:
            continue
        for clear, face in ((True, look.colour), (False, style.PAPER)):
            part = mine[(mine["partial_q"] < 0.05) == clear]
            axes.plot(
                part["spearman_r"], part["partial_r"], linestyle="none", marker=look.marker, markersize=3.4,
                markeredgewidth=0.8, markeredgecolor=look.colour, markerfacecolor=face,
            )  # fmt: skip
        name = category.removesuffix("_vision") or "benchmarks"
        axes.plot([], [], linestyle="none", marker=look.marker, markersize=3.4, color=look.colour, label=name)
    ticks = [-1, -0.5, 0, 0.5, 1]
    labels = ["−1", "−0.5", "0", "0.5", "1"]
    axes.set(xlim=(-1.04, 1.04), ylim=(-1.04, 1.04), aspect="equal")
    axes.set_xticks(ticks, labels=labels)
    axes.set_yticks(ticks, labels=labels)
    axes.set_xlabel("Spearman’s r with robust accuracy")
    axes.set_ylabel("r given clean accuracy")
    axes.grid(visible=True)
    axes.legend(
        loc="lower right", bbox_to_anchor=(1.03, 1.0), ncols=3, handletextpad=0.1, columnspacing=0.8,
        borderaxespad=0.2,
    )  # fmt: skip


def drawings(correlations: pd.DataFrame) -> Iterator[Drawing]:
    """One drawing an attack, one panel a budget at which some benchmark has both numbers."""
    table = correlations[(correlations["level"] == "benchmark") & (correlations["eps_value"] > 0)]
    looks = style.looks(table["category"])
    for part in split.by_attack(table, "confound"):
        panels = [
            Panel(
                f"{part.attack}, {split.budget(rows)}",
                partial(draw, rows, looks=looks),
                f"Correlations of {rows['partial_r'].notna().sum()} benchmarks with robust accuracy under "
                f"{part.attack} at {split.budget(rows)}, before and after clean accuracy is accounted for. The "
                "table of benchmarks holds every number.",
            )
            for _, rows in part.rows.groupby("eps_value")
            if rows["partial_r"].notna().any()
        ]
        if panels:
            yield Drawing(
                kind="confound",
                name=part.name,
                title="What clean accuracy explains",
                description=DESCRIPTION,
                rows=tuple(tuple(panels[at : at + 3]) for at in range(0, len(panels), 3)),
                width=style.PAGE / 3,
                height=2.45,
                margins=Margins(left=0.55, right=0.1),
                one_key=True,
            )
