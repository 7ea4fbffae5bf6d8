"""Ranking: the most robust models at each budget with intervals of their ranks."""

import math
from collections.abc import Iterator
from functools import partial

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from aggregate.figures import split, style
from aggregate.figures.drawing import Drawing, FigureKind, Margins, Panel
from aggregate.formatting import format_budget

KIND = FigureKind(
    name="ranking",
    title="Ranks of the most robust models",
    description=(
        "Each row is a model. The mark is its rank by robust accuracy, and the line the 95 % interval of its true "
        "rank, from comparisons with all other models on the same images. The number on the right is the share of "
        "resampled sets of images in which the model is the most robust one."
    ),
    make_drawings=lambda inputs: make_drawings(inputs.statistics.rankings),
)
MOST = 30
"""Largest number of models in a panel, the most robust ones; fewer if there are many budgets."""
_ROW_INCHES, _EMPTY_INCHES, _PAGE_INCHES = 0.135, 0.5, 9.1
"""Height of a row, of the rest of a panel, and of all panels together, in inches."""
_LONGEST = 26
"""Length of the longest model name, in characters."""


def draw_panel(table: pd.DataFrame, axes: Axes) -> None:
    """Draw the ranks at one budget.

    Args:
        table: Rows of rankings.csv in the order of their ranks, with intervals.
        axes: Axes to draw into.
    """
    rows = range(len(table))
    style.draw_row_names(axes, list(table["model"]), style.SMALL_POINTS, _LONGEST)
    low, high = (table[name].to_numpy(dtype="float64") for name in ("rank_low", "rank_high"))
    axes.hlines(rows, low, high, color=style.SERIES[0], linewidth=1.2, alpha=0.6)
    axes.plot(
        table["rank"], rows, linestyle="none", marker="o", markersize=3.2, markeredgewidth=0, color=style.SERIES[0]
    )
    for row, share in zip(rows, table["most_robust"], strict=True):
        if share >= 0.005:
            axes.annotate(
                f"{100 * share:.0f} %", (1, row), xycoords=("axes fraction", "data"), xytext=(3, 0),
                textcoords="offset points", va="center", fontsize=style.SMALL_POINTS, color=style.INK,
            )  # fmt: skip
    last = max(float(high.max()), 2.0)
    axes.set_xlim(1 - 0.02 * last, 1.02 * last)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, min_n_ticks=2))
    axes.set_xlabel("rank (1 is most robust)")
    axes.grid(visible=True, axis="x")


def make_drawings(rankings: pd.DataFrame) -> Iterator[Drawing]:
    """Make one drawing per attack, with one panel per budget at which ranks have intervals."""
    known = rankings[rankings["rank_low"].notna() & (rankings["eps"] != "0")]
    for part in split.split_by_attack(known, KIND.name):
        panels: list[Panel] = []
        down = math.ceil(part.rows["eps_value"].nunique() / 2)
        limit = min(MOST, int((_PAGE_INCHES / down - _EMPTY_INCHES) / _ROW_INCHES))
        names: list[str] = []
        most = 0
        for _, rows in part.rows.groupby("eps_value"):
            shown, first = rows.head(limit), rows.iloc[0]
            budget = f"{part.attack}, {format_budget(first['eps'])}"
            alike = int((rows["rank_low"] == 1).sum())
            summary = (
                f"{budget}: ranks of the {len(shown)} most robust of {len(rows)} models. {first['model']} is most "
                f"robust in {100 * first['most_robust']:.0f} % of the resamples; the interval of {alike} models "
                "contains rank 1. rankings.csv has all numbers."
            )
            panels.append(Panel(budget, partial(draw_panel, shown), summary))
            most, names = max(most, len(shown)), [*names, *shown["model"]]
        yield Drawing(
            kind=KIND,
            name=part.file_name,
            rows=tuple(tuple(panels[at : at + 2]) for at in range(0, len(panels), 2)),
            width=style.PAGE / 2,
            height=_EMPTY_INCHES + _ROW_INCHES * most,
            margins=Margins(
                left=style.row_names_width(names, style.SMALL_POINTS, _LONGEST), right=0.42, bottom=0.4, top=0.1
            ),
            note=f"At most {limit} models are drawn, the most robust ones; rankings.csv has all.",
        )
