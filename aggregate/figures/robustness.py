"""Robust accuracy by model and budget with exact intervals, one row per model."""

import math
from collections.abc import Iterator
from functools import partial

import pandas as pd
from matplotlib.axes import Axes

from aggregate.figures import split, style
from aggregate.figures.drawing import Drawing, FigureKind, Margins, Panel

KIND = FigureKind(
    name="robust-accuracy",
    title="Robust accuracy by model and budget",
    description=(
        "Each row is a model. Marks give robust accuracy at each budget with its exact 95 % interval; the "
        "vertical line gives clean accuracy. Models are sorted by mean robust accuracy over the budgets."
    ),
    make_drawings=lambda inputs: make_drawings(inputs.attacked_or_clean),
)
DENSE = 40
"""Number of models above which rows are low and names small."""
MOST = 300
"""Largest number of models that are drawn, the most robust ones; thousands would fill tens of pages."""
_MAX_ROWS = 75
"""Largest number of models in one column of panels, so that a panel fits a page."""


def rank_models(table: pd.DataFrame) -> list[str]:
    """Return the models of one attack by mean robust accuracy, highest first; ties by name."""
    mean = table.groupby("model")["robust_accuracy"].mean()
    return sorted(mean.index, key=lambda name: (-mean[name], name))


def draw_panel(table: pd.DataFrame, axes: Axes, *, dense: bool = False) -> None:
    """Draw the rows of one attack, with one row per model and one mark per budget.

    Args:
        table: Columns model, eps, eps_value, clean_accuracy, robust_accuracy, robust_low and robust_high.
        axes: Axes to draw into.
        dense: Whether to draw small names and marks.
    """
    names = rank_models(table)
    row_of = {name: at for at, name in enumerate(names)}
    style.draw_row_names(axes, names, style.SMALL_POINTS - 0.5 if dense else style.TEXT_POINTS)
    clean = table.drop_duplicates("model")
    at_budgets = [rows for _, rows in table.groupby("eps_value")]
    height = 0.52 if len(at_budgets) > 1 else 0.0
    axes.plot(
        clean["clean_accuracy"],
        clean["model"].map(row_of),
        linestyle="none",
        marker="|",
        markersize=4.5 if dense else 8,
        markeredgewidth=1.0,
        color=style.MUTED,
        label="clean",
    )
    for place, rows in enumerate(at_budgets):
        offset = height * (place / max(len(at_budgets) - 1, 1) - 0.5)
        y = rows["model"].map(row_of) + offset
        series = style.series_style(place)
        axes.hlines(
            y, rows["robust_low"], rows["robust_high"], color=series.colour, linewidth=0.6 if dense else 1.0
        )
        axes.plot(
            rows["robust_accuracy"],
            y,
            linestyle="none",
            marker=series.marker,
            markersize=2.0 if dense else 3.6,
            markeredgewidth=0,
            color=series.colour,
            label=split.format_budget_of(rows),
        )
    is_corruption = split.find_level_kind(table) == "severity"
    style.set_percent_axis(axes, "accuracy" if is_corruption else "robust accuracy", sparse=dense)
    axes.legend(
        loc="lower right", bbox_to_anchor=(1.03, 1.0), ncols=4, handletextpad=0.1, columnspacing=0.8,
        borderaxespad=0.1,
    )  # fmt: skip


def make_drawings(table: pd.DataFrame) -> Iterator[Drawing]:
    """Make one drawing per attack.

    More than 75 models are split into several columns. Of more than 300 models, the 300 most robust are drawn.
    """
    for part in split.split_by_attack(table, KIND.name):
        ranked = rank_models(part.rows)
        names = ranked[:MOST]
        columns = math.ceil(len(names) / _MAX_ROWS)
        dense = len(names) > DENSE
        panels, most = [], 0
        for column in range(columns):
            first, end = (len(names) * at // columns for at in (column, column + 1))
            chosen = part.rows[part.rows["model"].isin(names[first:end])]
            most = max(most, end - first)
            panels.append(Panel(
                f"{part.attack}, models {first + 1} to {end}" if columns > 1 else part.attack,
                partial(draw_panel, chosen, dense=dense),
                f"Robust accuracy of {end - first} models under {part.attack} at "
                f"{split.format_budgets_of(chosen)}. The matrix above gives every number.",
            ))  # fmt: skip
        budgets = int(part.rows["eps"].nunique())
        row = max(0.26 if len(names) <= 12 else 0.18 if not dense else 0.113, 0.037 * budgets)
        points = style.SMALL_POINTS - 0.5 if dense else style.TEXT_POINTS
        legend_rows = math.ceil((budgets + 1) / 4)
        yield Drawing(
            kind=KIND,
            name=part.file_name,
            rows=tuple(tuple(panels[at : at + 2]) for at in range(0, len(panels), 2)),
            width=style.PAGE / 2 if columns > 1 else 1.4 * style.COLUMN,
            height=0.5 + 0.17 * legend_rows + most * row,
            margins=Margins(left=style.row_names_width(names, points), top=0.08 + 0.17 * legend_rows, right=0.14),
            shared_legend=True,
            note=(
                f"Of {len(ranked):,} models, only the {MOST} most robust are drawn; table.csv gives all."
                if len(ranked) > MOST
                else ""
            ),
        )
