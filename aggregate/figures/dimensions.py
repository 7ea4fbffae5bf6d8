"""Dimensions: principal components of the scores and metric types, with their relation to robust accuracy."""

from collections.abc import Iterator
from functools import partial

import pandas as pd
from matplotlib.axes import Axes

from aggregate.figures import split, style
from aggregate.figures.drawing import Drawing, FigureKind, Margins, Panel
from aggregate.formatting import format_budget
from aggregate.statistics.adjusted_correlations import GIVEN_CLEAN
from aggregate.statistics.dimensions import COMPONENT

KIND = FigureKind(
    name="dimensions",
    title="Principal components and metric types of the scores",
    description=(
        "Correlation of robust accuracy with the principal components of the neural and behavioural benchmarks, "
        "and with the mean scores of each type of metric, among models of equal clean accuracy. Lines are 95 % "
        "intervals over architecture families; blue: the family-wise p (wild bootstrap over families) is below "
        "0.05. loadings.csv lists the benchmarks of each component."
    ),
    make_drawings=lambda inputs: make_drawings(inputs.statistics.dimensions),
)
_ROW_INCHES = 0.15
_LONGEST = 40


def name_rows(table: pd.DataFrame) -> list[str]:
    """Return the label of each dimension, such as "component 1 (32 % of variance)" or "pls (9)"."""
    return [
        f"component {row.name} ({100 * row.variance:.0f} % of variance)"
        if row.kind == COMPONENT
        else f"{row.name} ({row.benchmarks})"
        for row in table.itertuples(index=False)
    ]


def draw_panel(table: pd.DataFrame, axes: Axes) -> None:
    """Draw the dimensions at one budget.

    Args:
        table: Rows of dimensions.csv given clean accuracy.
        axes: Axes to draw into.
    """
    style.draw_row_names(axes, name_rows(table), style.SMALL_POINTS, _LONGEST)
    for row, values in enumerate(table.itertuples(index=False)):
        colour = style.SERIES[0] if values.p_familywise < 0.05 else style.MUTED
        axes.hlines(row, values.low, values.high, color=colour, linewidth=1.2)
        axes.plot(values.r, row, marker="o", markersize=3.2, markeredgewidth=0, color=colour)
    axes.axvline(0, color=style.INK, linewidth=0.8)
    axes.set_xlim(-1, 1)
    axes.set_xlabel("correlation given clean accuracy")
    axes.grid(visible=True, axis="x")


def make_drawings(dimensions: pd.DataFrame) -> Iterator[Drawing]:
    """Make one drawing per attack, with one panel per budget that has intervals."""
    known = dimensions[(dimensions["given"] == GIVEN_CLEAN) & dimensions["low"].notna()]
    for part in split.split_by_attack(known, KIND.name):
        panels: list[Panel] = []
        names: list[str] = []
        most = 0
        for _, rows in part.rows.groupby("eps", sort=False):
            budget = f"{part.attack}, {format_budget(rows['eps'].iloc[0])}"
            clear = int((rows["p_familywise"] < 0.05).sum())
            summary = (
                f"{budget}: correlations of {len(rows)} dimensions given clean accuracy, from "
                f"{rows['r'].min():.2f} to {rows['r'].max():.2f}; {clear} have a family-wise p below 0.05. "
                "dimensions.csv has all numbers."
            )
            panels.append(Panel(budget, partial(draw_panel, rows), summary))
            most, names = max(most, len(rows)), [*names, *name_rows(rows)]
        yield Drawing(
            kind=KIND,
            name=part.file_name,
            rows=tuple(tuple(panels[at : at + 2]) for at in range(0, len(panels), 2)),
            width=style.PAGE / 2,
            height=0.5 + _ROW_INCHES * most,
            margins=Margins(
                left=style.row_names_width(names, style.SMALL_POINTS, _LONGEST), right=0.1, bottom=0.4, top=0.1
            ),
        )
