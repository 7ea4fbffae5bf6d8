"""Top benchmarks: those with the highest and lowest correlations with robust accuracy, with intervals."""

from collections.abc import Iterator
from functools import partial

import pandas as pd
from matplotlib.axes import Axes

from aggregate.figures import split, style
from aggregate.figures.drawing import Drawing, FigureKind, Margins, Panel
from aggregate.scores.labels import score_label

KIND = FigureKind(
    name="benchmark-extremes",
    title="Benchmarks with the highest and lowest correlations",
    description=(
        "The ten highest and the ten lowest of Spearman’s correlations between a benchmark and robust accuracy, "
        "with bootstrap intervals over models (95 %). Filled: q < 0.05 (p of Spearman’s test after Benjamini and "
        "Hochberg’s correction over all benchmarks). The largest of many correlations are large partly by chance; "
        "the table gives all."
    ),
    make_drawings=lambda inputs: make_drawings(inputs.statistics.correlations),
)
_ENDS = 10
_LONGEST = 30
"""Length of the longest benchmark name, in characters."""


def select_highest_and_lowest(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with the ten highest and ten lowest Spearman r, highest first; all rows if at most 20."""
    ranked = table[table["spearman_r"].notna()].sort_values(["spearman_r", "score"], ascending=[False, True])
    return ranked if len(ranked) <= 2 * _ENDS else pd.concat([ranked.head(_ENDS), ranked.tail(_ENDS)])


def draw_panel(table: pd.DataFrame, axes: Axes, styles: dict[str, style.SeriesStyle]) -> None:
    """Draw the highest and lowest correlations at one budget.

    Args:
        table: Columns score, category, spearman_r, spearman_q or spearman_p, and optionally spearman_low and
            spearman_high.
        axes: Axes to draw into.
        styles: Colour and marker of each category.
    """
    shown = select_highest_and_lowest(table)
    style.draw_row_names(axes, list(shown["score"]), style.SMALL_POINTS + 0.5, _LONGEST)
    axes.axvline(0, color=style.MUTED, linewidth=0.8)
    if len(shown) == 2 * _ENDS:
        axes.axhline(_ENDS - 0.5, color=style.MUTED, linewidth=0.8, dashes=(4, 3))
    corrected = "spearman_q" if "spearman_q" in shown else "spearman_p"
    for category, series in styles.items():
        in_category = (shown["category"] == category).to_numpy()
        places, rows = in_category.nonzero()[0], shown[in_category]
        axes.plot(
            [], [], linestyle="none", marker=series.marker, markersize=3.8, color=series.colour,
            label=score_label(category) or "benchmarks",
        )  # fmt: skip
        if "spearman_low" in shown:
            axes.hlines(places, rows["spearman_low"], rows["spearman_high"], color=series.colour, linewidth=1.0)
        for place, (r, q) in zip(places, rows[["spearman_r", corrected]].to_numpy(), strict=True):
            axes.plot(
                r, place, marker=series.marker, markersize=3.8, markeredgewidth=0.9, markeredgecolor=series.colour,
                markerfacecolor=series.colour if q < 0.05 else style.PAPER,
            )  # fmt: skip
    axes.set_xlim(-1.03, 1.03)
    axes.set_xticks([-1, -0.5, 0, 0.5, 1], labels=["−1", "−0.5", "0", "0.5", "1"])
    axes.set_xlabel("Spearman’s r with robust accuracy")
    axes.grid(visible=True, axis="x")
    axes.legend(
        loc="lower right", bbox_to_anchor=(1.02, 1.0), ncols=3, handletextpad=0.1, columnspacing=0.8,
        borderaxespad=0.2,
    )  # fmt: skip


def make_drawings(correlations: pd.DataFrame) -> Iterator[Drawing]:
    """Make one drawing per attack, with one panel per budget at which at least two benchmarks have a number."""
    table = correlations[(correlations["level"] == "benchmark") & (correlations["eps_value"] > 0)]
    styles = style.category_styles(table["category"])
    for part in split.split_by_attack(table, KIND.name):
        at_budgets = [rows for _, rows in part.rows.groupby("eps_value") if rows["spearman_r"].notna().sum() >= 2]
        if not at_budgets:
            continue
        panels = [
            Panel(
                f"{part.attack}, {split.format_budget_of(rows)}",
                partial(draw_panel, rows, styles=styles),
                f"The highest and lowest Spearman correlations of {rows['spearman_r'].notna().sum()} benchmarks "
                f"with robust accuracy under {part.attack} at {split.format_budget_of(rows)}. The table of "
                "benchmarks gives all.",
            )
            for rows in at_budgets
        ]
        shown = [select_highest_and_lowest(rows) for rows in at_budgets]
        names = dict.fromkeys(name for rows in shown for name in rows["score"])
        yield Drawing(
            kind=KIND,
            name=part.file_name,
            rows=tuple(tuple(panels[at : at + 2]) for at in range(0, len(panels), 2)),
            width=style.PAGE / 2,
            height=0.65 + 0.15 * max(len(rows) for rows in shown),
            margins=Margins(left=style.row_names_width(names, style.SMALL_POINTS + 0.5, _LONGEST), right=0.14),
            shared_legend=True,
        )
