"""Pairwise comparison: which model is significantly more robust than which, on the same images."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap

from aggregate.figures import shortening, style
from aggregate.figures.drawing import Drawing, FigureKind, Margins, Panel
from aggregate.figures.robustness import DENSE
from aggregate.figures.split import split_by_attack
from aggregate.formatting import format_budget
from aggregate.statistics import mcnemar

KIND = FigureKind(
    name="comparison",
    title="Pairwise comparison of models",
    description=(
        "Each cell compares the model of its row with the model of its column on the same images by McNemar’s "
        "exact test. Blue: the model of the row is significantly more robust (q < 0.05). Orange: the model of the "
        "column is. Pale: no significant difference. Models are sorted by wins minus losses."
    ),
    make_drawings=lambda inputs: make_drawings(inputs.statistics.comparisons),
)
_CELLS = ListedColormap([style.SERIES[1], "#eef0f4", style.SERIES[0]])
_LONGEST = 22
"""Length of the longest label, in characters."""


def compare_pairwise(table: pd.DataFrame) -> pd.DataFrame:
    """Arrange the comparisons of one budget as a square frame.

    Args:
        table: Columns model_a, model_b, only_a, only_b and q.

    Returns:
        A frame with models as index and columns, best first: 1 where the model of the row is significantly more
        robust, -1 where it is less robust, 0 where the difference is not significant, NaN where not tested.
    """
    names = sorted({*table["model_a"], *table["model_b"]})
    at = {name: place for place, name in enumerate(names)}
    won = np.full((len(names), len(names)), np.nan)
    a, b = (table[column].map(at).to_numpy() for column in ("model_a", "model_b"))
    q = table["q"].to_numpy(dtype=np.float64)
    sign = np.sign((table["only_a"] - table["only_b"]).to_numpy(dtype=np.float64))
    value = np.where(np.isnan(q), np.nan, np.where(q < 0.05, sign, 0.0))
    won[a, b], won[b, a] = value, -value
    order = sorted(range(len(names)), key=lambda place: (-np.nansum(won[place]), names[place]))
    ordered = [names[place] for place in order]
    return pd.DataFrame(won[np.ix_(order, order)], index=ordered, columns=ordered)


def draw_panel(table: pd.DataFrame, axes: Axes) -> None:
    """Draw the comparisons of one budget.

    Args:
        table: Columns model_a, model_b, only_a, only_b and q.
        axes: Axes to draw into.
    """
    won = compare_pairwise(table)
    count = len(won)
    axes.imshow(won.to_numpy(), cmap=_CELLS, vmin=-1, vmax=1, interpolation="nearest", aspect="equal")
    if count <= DENSE:
        names = shortening.shorten_all(list(won.index), _LONGEST)
        axes.set_xticks(range(count), labels=names, rotation=90)
        axes.set_yticks(range(count), labels=names)
        axes.tick_params(length=0, labelsize=style.SMALL_POINTS)
    else:
        every = range(20, count + 1, 20)
        labels = [str(number) for number in every]
        axes.set_xticks([number - 1 for number in every], labels=labels)
        axes.set_yticks([number - 1 for number in every], labels=labels)
        axes.set_xlabel("models, sorted by wins minus losses")
    axes.spines[["left", "bottom"]].set_visible(False)


def make_drawings(comparisons: pd.DataFrame) -> Iterator[Drawing]:
    """Make one drawing per attack, with one panel per budget at which models were tested."""
    tested = comparisons[comparisons["q"].notna() & (comparisons["eps"] != "0")]
    for part in split_by_attack(tested, KIND.name):
        panels = []
        for _, rows in part.rows.groupby("eps_value"):
            significant = int((rows["q"] < 0.05).sum())
            budget = f"{part.attack}, {format_budget(rows['eps'].iloc[0])}"
            summary = (
                f"{budget}: {significant} of {len(rows)} pairs of models differ significantly (q < 0.05). "
                "comparisons.csv lists all pairs."
            )
            panels.append(Panel(budget, partial(draw_panel, rows), summary))
        names = sorted({*part.rows["model_a"], *part.rows["model_b"]})
        few = len(names) <= DENSE
        label = (
            0.1
            + max(style.text_width(name, style.SMALL_POINTS) for name in shortening.shorten_all(names, _LONGEST))
            if few
            else 0.3
        )
        side = min(0.16 * len(names), 2.2) if few else style.PAGE / 3 - 0.45
        yield Drawing(
            kind=KIND,
            name=part.file_name,
            rows=tuple(tuple(panels[at : at + 3]) for at in range(0, len(panels), 3)),
            width=label + side + 0.12,
            height=side + 0.08 + (label if few else 0.4),
            margins=Margins(left=label, right=0.12, bottom=label if few else 0.4, top=0.08),
            note=(
                f"Only the {mcnemar.MAX_MODELS} most robust models are compared."
                if len(names) >= mcnemar.MAX_MODELS
                else ""
            ),
        )
