"""Robust accuracy by model and budget, with exact intervals."""

import pandas as pd
from matplotlib.axes import Axes

from aggregate import style

DESCRIPTION = (
    "Each row is a model. Marks: robust accuracy at each budget, with its exact 95 % interval; the upright "
    "stroke is clean accuracy. Models are sorted by their mean robust accuracy over the budgets."
)


def order(table: pd.DataFrame) -> list[str]:
    """The models of one attack's rows, highest mean robust accuracy first, ties by name."""
    mean = table.groupby("model")["robust_accuracy"].mean()
    return sorted(mean.index, key=lambda name: (-mean[name], name))


def row_inches(models: int, budgets: int) -> float:
    """Height of one model's row: roomy for a few, dense for many, never too low for its marks."""
    roomy = 0.34 if models <= 12 else 0.24 if models <= 40 else 0.17
    return max(roomy, 0.06 * budgets)


def draw(table: pd.DataFrame, axes: Axes) -> None:
    """Draw one attack's rows: one row a model, one mark a budget."""
    names = order(table)
    rows = {name: at for at, name in enumerate(names)}
    style.model_axis(axes, names)
    clean = table.drop_duplicates("model")
    at_budgets = [part for _, part in table.groupby("eps_value")]
    dense = len(names) > 40
    height = 0.52 if len(at_budgets) > 1 else 0.0
    axes.plot(
        clean["clean_accuracy"],
        clean["model"].map(rows),
        linestyle="none",
        marker="|",
        markersize=6 if dense else 10,
        markeredgewidth=1.2,
        color=style.MUTED,
        label="clean",
    )
    for place, part in enumerate(at_budgets):
        offset = height * (place / max(len(at_budgets) - 1, 1) - 0.5)
        y = part["model"].map(rows) + offset
        look = style.look(place)
        axes.hlines(y, part["robust_low"], part["robust_high"], color=look.colour, linewidth=0.7 if dense else 1.1)
        axes.plot(
            part["robust_accuracy"],
            y,
            linestyle="none",
            marker=look.marker,
            markersize=2.6 if dense else 4,
            markeredgewidth=0,
            color=look.colour,
            label=f"eps {part['eps'].iloc[0]}",
        )
    style.percent_axis(axes, "robust accuracy")
    axes.legend(
        loc="lower right", bbox_to_anchor=(1.02, 1.0), ncols=4, handletextpad=0.2, columnspacing=1.0,
        borderaxespad=0.2,
    )  # fmt: skip
