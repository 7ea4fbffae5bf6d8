"""Partial correlation: the correlation of a benchmark with robust accuracy, before and given clean accuracy."""

from collections.abc import Iterator
from functools import partial

import pandas as pd
from matplotlib.axes import Axes

from aggregate.figures import split, style
from aggregate.figures.drawing import Drawing, FigureKind, Margins, Panel
from aggregate.scores.labels import score_label

KIND = FigureKind(
    name="confound",
    title="Correlation with and without control for clean accuracy",
    description=(
        "Each point is a benchmark: Spearman’s correlation with robust accuracy (x) and the partial correlation "
        "given clean accuracy (y). On the dashed diagonal clean accuracy explains none of the correlation; on the "
        "horizontal line at 0 it explains all of it. Filled: q < 0.05 given clean accuracy (p of the partial "
        "rank correlation’s t test after Benjamini and Hochberg’s correction)."
    ),
    make_drawings=lambda inputs: make_drawings(inputs.statistics.correlations),
)


def draw_panel(table: pd.DataFrame, axes: Axes, styles: dict[str, style.SeriesStyle]) -> None:
    """Draw the benchmarks of one budget that have both correlations.

    Args:
        table: Columns category, spearman_r, partial_r and partial_q.
        axes: Axes to draw into.
        styles: Colour and marker of each category.
    """
    known = table[table["spearman_r"].notna() & table["partial_r"].notna()]
    axes.plot([-1, 1], [-1, 1], color=style.MUTED, linewidth=0.8, dashes=(4, 3))
    axes.axhline(0, color=style.MUTED, linewidth=0.8)
    for category, series in styles.items():
        in_category = known[known["category"] == category]
        if in_category.empty:
            continue
        for significant, face in ((True, series.colour), (False, style.PAPER)):
            rows = in_category[(in_category["partial_q"] < 0.05) == significant]
            axes.plot(
                rows["spearman_r"], rows["partial_r"], linestyle="none", marker=series.marker, markersize=3.4,
                markeredgewidth=0.8, markeredgecolor=series.colour, markerfacecolor=face,
            )  # fmt: skip
        name = score_label(category) or "benchmarks"
        axes.plot([], [], linestyle="none", marker=series.marker, markersize=3.4, color=series.colour, label=name)
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


def make_drawings(correlations: pd.DataFrame) -> Iterator[Drawing]:
    """Make one drawing per attack, with one panel per budget at which some benchmark has both correlations."""
    table = correlations[(correlations["level"] == "benchmark") & (correlations["eps_value"] > 0)]
    styles = style.category_styles(table["category"])
    for part in split.split_by_attack(table, KIND.name):
        panels = [
            Panel(
                f"{part.attack}, {split.format_budget_of(rows)}",
                partial(draw_panel, rows, styles=styles),
                f"Correlations of {rows['partial_r'].notna().sum()} benchmarks with robust accuracy under "
                f"{part.attack} at {split.format_budget_of(rows)}, with and without control for clean accuracy. "
                "The table of benchmarks gives every number.",
            )
            for _, rows in part.rows.groupby("eps_value")
            if rows["partial_r"].notna().any()
        ]
        if panels:
            yield Drawing(
                kind=KIND,
                name=part.file_name,
                rows=tuple(tuple(panels[at : at + 3]) for at in range(0, len(panels), 3)),
                width=style.PAGE / 3,
                height=2.45,
                margins=Margins(left=0.55, right=0.1),
                shared_legend=True,
            )
