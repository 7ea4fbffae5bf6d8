"""Importance: the benchmarks that contribute most to the prediction of robust accuracy, with their spread."""

from collections.abc import Iterator
from functools import partial

import pandas as pd
from matplotlib.axes import Axes

from aggregate.figures import split, style
from aggregate.figures.drawing import Drawing, FigureKind, Margins, Panel
from aggregate.scores.labels import score_label

KIND = FigureKind(
    name="importance",
    title="Benchmark importance in the prediction of robust accuracy",
    description=(
        "Permutation importance: the R² that predictions for held-out models lose when the scores of one "
        "benchmark are shuffled among these models. The fifteen largest are shown. Lines contain 95 % of the "
        "values over folds and shuffles; they are a spread, not confidence intervals. "
        "Benchmarks that carry the same information share their importance."
    ),
    make_drawings=lambda inputs: make_drawings(inputs.statistics.importance),
)
_MOST = 15
_LONGEST = 30
"""Length of the longest benchmark name, in characters."""


def draw_panel(table: pd.DataFrame, axes: Axes, styles: dict[str, style.SeriesStyle]) -> None:
    """Draw the largest importances at one budget.

    Args:
        table: Columns benchmark, category, importance, low and high.
        axes: Axes to draw into.
        styles: Colour and marker of each category.
    """
    shown = table.nlargest(_MOST, "importance", keep="first").reset_index(drop=True)
    style.draw_row_names(axes, list(shown["benchmark"]), style.SMALL_POINTS + 0.5, _LONGEST)
    axes.axvline(0, color=style.MUTED, linewidth=0.8)
    for category, series in styles.items():
        rows = shown[shown["category"] == category]
        axes.hlines(rows.index, rows["low"], rows["high"], color=series.colour, linewidth=1.0)
        axes.plot(
            rows["importance"], rows.index, linestyle="none", marker=series.marker, markersize=3.8,
            markeredgewidth=0, color=series.colour, label=score_label(category) or "benchmarks",
        )  # fmt: skip
    axes.set_xlabel("R² lost when shuffled")
    axes.grid(visible=True, axis="x")
    axes.locator_params(axis="x", nbins=4)
    axes.legend(
        loc="lower right", bbox_to_anchor=(1.02, 1.0), ncols=3, handletextpad=0.1, columnspacing=0.8,
        borderaxespad=0.2,
    )  # fmt: skip


def make_drawings(importance: pd.DataFrame) -> Iterator[Drawing]:
    """Make one drawing per attack, with one panel per budget that has a prediction."""
    table = importance[importance["importance"].notna() & (importance["eps"] != "0")]
    styles = style.category_styles(table["category"])
    for part in split.split_by_attack(table, KIND.name):
        at_budgets = [rows for _, rows in part.rows.groupby("eps_value")]
        points = style.SMALL_POINTS + 0.5
        shown = pd.concat(rows.nlargest(_MOST, "importance", keep="first") for rows in at_budgets)
        panels = [
            Panel(
                f"{part.attack}, {split.format_budget_of(rows)}",
                partial(draw_panel, rows, styles=styles),
                f"The benchmarks with the largest permutation importance for robust accuracy under {part.attack} "
                f"at {split.format_budget_of(rows)}. The table of importances gives the numbers.",
            )
            for rows in at_budgets
        ]
        yield Drawing(
            kind=KIND,
            name=part.file_name,
            rows=tuple(tuple(panels[at : at + 2]) for at in range(0, len(panels), 2)),
            width=style.PAGE / 2,
            height=0.65 + 0.15 * min(_MOST, max(len(rows) for rows in at_budgets)),
            margins=Margins(
                left=style.row_names_width(dict.fromkeys(shown["benchmark"]), points, _LONGEST), right=0.14
            ),
            shared_legend=True,
        )  # fmt: skip
