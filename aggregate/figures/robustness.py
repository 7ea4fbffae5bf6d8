"""Robust accuracy by model and budget, with exact intervals: the figure that names every model."""

import math
from collections.abc import Iterator
from functools import partial

import pandas as pd
from matplotlib.axes import Axes

from aggregate.figures import split, style
from aggregate.figures.drawing import Drawing, Margins, Panel

DESCRIPTION = (
    "Each row is a model. Marks: robust accuracy at each budget, with its exact 95 % interval; the upright "
    "stroke is clean accuracy. Models are sorted by their mean robust accuracy over the budgets."
)
DENSE = 40
"""Models above which rows are low and names small."""
MOST = 300
"""Models that are drawn, the most robust ones: of thousands the figure would be tens of pages."""
_LONGEST = 75
"""Models in one column; more stand in further columns, so that a page stays a page."""


def order(table: pd.DataFrame) -> list[str]:
    """The models of one attack's rows, highest mean robust accuracy first, ties by name."""
    mean = table.groupby("model")["robust_accuracy"].mean()
    return sorted(mean.index, key=lambda name: (-mean[name], name))


def draw(table: pd.DataFrame, axes: Axes, *, dense: bool = False) -> None:
    """Draw one attack's rows: one row a model, one mark a budget."""
    names = order(table)
    places = {name: at for at, name in enumerate(names)}
    style.rows(axes, names, style.SMALL_POINTS - 0.5 if dense else style.TEXT_POINTS)
    clean = table.drop_duplicates("model")
    at_budgets = [part for _, part in table.groupby("eps_value")]
    height = 0.52 if len(at_budgets) > 1 else 0.0
    axes.plot(
        clean["clean_accuracy"],
        clean["model"].map(places),
        linestyle="none",
        marker="|",
        markersize=4.5 if dense else 8,
        markeredgewidth=1.0,
        color=style.MUTED,
        label="clean",
    )
    for place, part in enumerate(at_budgets):
        offset = height * (place / max(len(at_budgets) - 1, 1) - 0.5)
        y = part["model"].map(places) + offset
        look = style.look(place)
        axes.hlines(y, part["robust_low"], part["robust_high"], color=look.colour, linewidth=0.6 if dense else 1.0)
        axes.plot(
            part["robust_accuracy"],
            y,
            linestyle="none",
            marker=look.marker,
            markersize=2.0 if dense else 3.6,
            markeredgewidth=0,
            color=look.colour,
            label=split.budget(part),
        )
    corrupted = "method" in table and (table["method"] == "corruption").all()
    style.percent_axis(axes, "accuracy" if corrupted else "robust accuracy", sparse=dense)
    axes.legend(
        loc="lower right", bbox_to_anchor=(1.03, 1.0), ncols=4, handletextpad=0.1, columnspacing=0.8,
        borderaxespad=0.1,
    )  # fmt: skip


def drawings(table: pd.DataFrame) -> Iterator[Drawing]:
    """One drawing an attack; more than 75 models stand in several columns, more than 300 are left out."""
    for part in split.by_attack(table, "robust-accuracy"):
        names = order(part.rows)
        left_out = (
            f" Of {len(names):,} models the {MOST} most robust are drawn; table.csv holds all."
            if len(names) > MOST
            else ""
        )
        names = names[:MOST]
        columns = math.ceil(len(names) / _LONGEST)
        dense = len(names) > DENSE
        panels, most = [], 0
        for column in range(columns):
            first, end = (len(names) * at // columns for at in (column, column + 1))
            chosen = part.rows[part.rows["model"].isin(names[first:end])]
            most = max(most, end - first)
            panels.append(Panel(
                f"{part.attack}, models {first + 1} to {end}" if columns > 1 else part.attack,
                partial(draw, chosen, dense=dense),
                f"Robust accuracy of {end - first} models under {part.attack} at {split.budgets(chosen)}. "
                "The matrix above holds every number.",
            ))  # fmt: skip
        budgets = int(part.rows["eps"].nunique())
        row = max(0.26 if len(names) <= 12 else 0.18 if not dense else 0.113, 0.037 * budgets)
        points = style.SMALL_POINTS - 0.5 if dense else style.TEXT_POINTS
        keys = math.ceil((budgets + 1) / 4)
        yield Drawing(
            kind="robust-accuracy",
            name=part.name,
            title="Robust accuracy by model and budget",
            description=DESCRIPTION + left_out,
            rows=tuple(tuple(panels[at : at + 2]) for at in range(0, len(panels), 2)),
            width=style.PAGE / 2 if columns > 1 else 1.4 * style.COLUMN,
            height=0.5 + 0.17 * keys + most * row,
            margins=Margins(left=style.names_width(names, points), top=0.08 + 0.17 * keys, right=0.14),
            one_key=True,
        )
