"""The comparison: which model is significantly more robust than which, on the same images."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap

from aggregate.figures import style
from aggregate.figures.drawing import Drawing, Margins, Panel
from aggregate.figures.robustness import DENSE
from aggregate.figures.split import by_attack, called
from aggregate.statistics import mcnemar

DESCRIPTION = (
    "Each cell compares the model of its row with the model of its column by McNemar’s exact test: blue where the "
    "row’s is significantly more robust (q < 0.05), orange where the column’s is, pale where no difference can be "
    "told. Models are in order of the wins over others."
)
_CELLS = ListedColormap([style.SERIES[1], "#eef0f4", style.SERIES[0]])


def wins(table: pd.DataFrame) -> pd.DataFrame:
    """1 where the row's model is significantly better than the column's, -1 where worse, else 0; NaN untested."""
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


def draw(table: pd.DataFrame, axes: Axes) -> None:
    """Draw the comparisons of one budget: columns model_a, model_b, only_a, only_b, q."""
    won = wins(table)
    count = len(won)
    axes.imshow(won.to_numpy(), cmap=_CELLS, vmin=-1, vmax=1, interpolation="nearest", aspect="equal")
    if count <= DENSE:
        names = style.labels(list(won.index), 22)
        axes.set_xticks(range(count), labels=names, rotation=90)
        axes.set_yticks(range(count), labels=names)
        axes.tick_params(length=0, labelsize=style.SMALL_POINTS)
    else:
        every = range(20, count + 1, 20)
        labels = [str(number) for number in every]
        axes.set_xticks([number - 1 for number in every], labels=labels)
        axes.set_yticks([number - 1 for number in every], labels=labels)
        axes.set_xlabel("models, in the order of their wins")
    axes.spines[["left", "bottom"]].set_visible(False)


def drawings(comparisons: pd.DataFrame) -> Iterator[Drawing]:
    """One drawing an attack, one panel a budget at which models were tested."""
    limited = f" Of more than {mcnemar.MOST} models the {mcnemar.MOST} most robust are compared."
    tested = comparisons[comparisons["q"].notna() & (comparisons["eps"] != "0")]
    for part in by_attack(tested, "comparison"):
        panels = []
        for _, rows in part.rows.groupby("eps_value"):
            clear = int((rows["q"] < 0.05).sum())
            budget = f"{part.attack}, {called(rows['eps'].iloc[0])}"
            said = f"{budget}: of {len(rows)} pairs of models, {clear} differ clearly; comparisons.csv lists all."
            panels.append(Panel(budget, partial(draw, rows), said))
        names = sorted({*part.rows["model_a"], *part.rows["model_b"]})
        few = len(names) <= DENSE
        label = (
            0.1 + max(style.width(name, style.SMALL_POINTS) for name in style.labels(names, 22)) if few else 0.3
        )
        side = min(0.16 * len(names), 2.2) if few else style.PAGE / 3 - 0.45
        yield Drawing(
            kind="comparison",
            name=part.name,
            title="Which model is more robust than which",
            description=DESCRIPTION + (limited if len(names) >= mcnemar.MOST else ""),
            rows=tuple(tuple(panels[at : at + 3]) for at in range(0, len(panels), 3)),
            width=label + side + 0.12,
            height=side + 0.08 + (label if few else 0.4),
            margins=Margins(left=label, right=0.12, bottom=label if few else 0.4, top=0.08),
        )
