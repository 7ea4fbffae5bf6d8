"""Specification curve: every defensible choice of the analysis, with its estimate and interval."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from aggregate.figures import split, style
from aggregate.figures.drawing import Drawing, FigureKind, Margins, Panel
from aggregate.formatting import format_budget
from aggregate.statistics.budget_networks import MEAN_BUDGET

KIND = FigureKind(
    name="specifications",
    title="The answer under every defensible choice",
    description=(
        "Each column is one specification: a choice of budget, scores, aggregation, control and models, marked in "
        "the lower panel. The upper panel shows its correlation with robust accuracy, with a 95 % interval over "
        "architecture families. Specifications are sorted by their estimate; blue intervals exclude 0. A "
        "choice that moves the answer forms a block; a choice that does not is spread evenly."
    ),
    make_drawings=lambda inputs: make_drawings(inputs.statistics.specifications),
)
CHOICES = (
    ("eps", "budget"),
    ("scores", "scores"),
    ("aggregation", "aggregation"),
    ("control", "control"),
    ("models", "models"),
)
_ROW_INCHES = 0.13
_CURVE_INCHES = 2.3
_HALF_MARK = 0.21
"""Half of the height of a mark, in rows."""
_LONGEST = 40
"""Length of the longest row name, in characters."""


def sort_specifications(table: pd.DataFrame) -> pd.DataFrame:
    """Return the specifications that have an interval, sorted by estimate."""
    return table[table["low"].notna()].sort_values("r", kind="stable").reset_index(drop=True)


def row_names(table: pd.DataFrame) -> list[tuple[str, str, str]]:
    """Return column, value and label of each row of the lower panel."""
    rows: list[tuple[str, str, str]] = []
    for column, heading in CHOICES:
        values = list(dict.fromkeys(table.sort_values("eps_value")["eps"] if column == "eps" else table[column]))
        values.sort(key=lambda value: value == MEAN_BUDGET)
        if len(values) > 1:
            labels = [format_budget(v) if column == "eps" else f"{heading}: {v}" for v in values]
            rows.extend((column, value, label) for value, label in zip(values, labels, strict=True))
    return rows


def draw_curve(table: pd.DataFrame, axes: Axes) -> None:
    """Draw estimates and intervals, one column per specification.

    Args:
        table: Output of `sort_specifications`.
        axes: Axes to draw into.
    """
    at = np.arange(len(table))
    outside = ((table["low"] > 0) | (table["high"] < 0)).to_numpy()
    width = max(0.25, min(1.2, 260 / max(1, len(table))))
    for chosen, colour, label in ((~outside, style.MUTED, "includes 0"), (outside, style.SERIES[0], "excludes 0")):
        rows = table[chosen]
        if rows.empty:
            continue
        # One line with gaps: a line per interval would make the SVG in the report several times larger.
        ends = rows[["low", "high"]].assign(gap=np.nan).to_numpy(dtype=np.float64).ravel()
        axes.plot(np.repeat(at[chosen], 3), ends, color=colour, linewidth=width, alpha=0.45)
        axes.plot(
            at[chosen], rows["r"], linestyle="none", marker="o", markersize=1.8, markeredgewidth=0, color=colour,
            label=f"95 % interval {label}",
        )  # fmt: skip
    axes.axhline(0, color=style.INK, linewidth=0.8)
    axes.set_xlim(-1, len(table))
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    axes.set_ylabel("correlation")
    axes.grid(visible=True, axis="y")
    axes.legend(loc="upper left", ncols=2, handletextpad=0.2, borderaxespad=0.1)


def draw_choices(table: pd.DataFrame, rows: list[tuple[str, str, str]], axes: Axes) -> None:
    """Draw a mark for each choice of each specification.

    Args:
        table: Output of `sort_specifications`.
        rows: Output of `row_names`.
        axes: Axes to draw into.
    """
    style.draw_row_names(axes, [label for _, _, label in rows], style.SMALL_POINTS, _LONGEST)
    size = max(0.8, min(3.0, 500 / max(1, len(table))))
    for place, (column, value, _) in enumerate(rows):
        chosen = np.flatnonzero((table[column] == value).to_numpy())
        # One line with gaps: a marker per choice would make the SVG in the report several times larger.
        x = np.repeat(chosen.astype(np.float64), 3)
        y = np.tile([place - _HALF_MARK, place + _HALF_MARK, np.nan], len(chosen))
        axes.plot(x, y, linewidth=size / 3, color=style.INK, solid_capstyle="butt")
    axes.set_xlim(-1, len(table))
    axes.set_xticks([])
    axes.set_xlabel(f"{len(table)} specifications, sorted by estimate")


def make_drawings(specifications: pd.DataFrame) -> Iterator[Drawing]:
    """Make one drawing per attack that has at least two specifications with an interval."""
    for part in split.split_by_attack(specifications, KIND.name):
        table = sort_specifications(part.rows)
        if len(table) < 2:
            continue
        rows = row_names(part.rows)
        left = style.row_names_width([label for _, _, label in rows], style.SMALL_POINTS, _LONGEST)
        lower = 0.35 + _ROW_INCHES * len(rows)
        height = max(_CURVE_INCHES, lower)
        outside = int(((table["low"] > 0) | (table["high"] < 0)).sum())
        yield Drawing(
            kind=KIND,
            name=part.file_name,
            rows=(
                (
                    Panel(
                        f"{part.attack}: estimates",
                        partial(draw_curve, table),
                        f"Correlations of {len(table)} specifications under {part.attack}, from "
                        f"{table['r'].min():.2f} to {table['r'].max():.2f}; {outside} intervals exclude 0. "
                        "specifications.csv has all numbers.",
                        height=_CURVE_INCHES,
                    ),
                ),
                (
                    Panel(
                        f"{part.attack}: choices",
                        partial(draw_choices, table, rows),
                        "The choices of each specification, in the order of the upper panel.",
                        height=lower,
                    ),
                ),
            ),
            width=style.PAGE,
            height=height,
            margins=Margins(left=max(left, 0.55), right=0.1, bottom=0.25, top=0.1),
        )
