"""Robustness curves: accuracy falling as the budget grows, one line a model, a few of them named."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from aggregate.figures import robustness, split, style
from aggregate.figures.drawing import Drawing, Margins, Panel
from alignsec.spec.attack import SEVERITY

DESCRIPTION = (
    "Each line is a model: accuracy on clean images, drawn at 0, and robust accuracy at each budget. Named in "
    "colour: the most robust models, the one most accurate when clean, and the least robust; the broken line "
    "is the median of all."
)
_NAMED = len(style.SERIES)
_APART = 0.062
"""Of the axes' height: the least distance between two names."""


def named(table: pd.DataFrame) -> list[str]:
    """The models to be named: all of few; of many the most robust, most accurate and least robust."""
    ranked = robustness.order(table)
    if len(ranked) <= _NAMED:
        return ranked
    clean = table.drop_duplicates("model").set_index("model")["clean_accuracy"]
    accurate = next(name for name in ranked if clean[name] == clean.max())
    return list(dict.fromkeys([*ranked[: _NAMED - 2], accurate, ranked[-1]]))


def draw(table: pd.DataFrame, axes: Axes) -> None:
    """Draw the rows of one attack: columns model, clean_accuracy, eps, eps_value, robust_accuracy."""
    budgets = table.drop_duplicates("eps_value").sort_values("eps_value")
    wide = table.pivot_table(index="model", columns="eps_value", values="robust_accuracy")
    wide.insert(0, 0.0, table.drop_duplicates("model").set_index("model")["clean_accuracy"], allow_duplicates=True)
    x = wide.columns.to_numpy(dtype=np.float64)
    chosen = named(table)
    rest = wide.drop(index=chosen).to_numpy(dtype=np.float64)
    axes.add_collection(
        LineCollection([np.column_stack([x, y]) for y in rest], colors=style.MUTED, linewidths=0.5, alpha=0.4)
    )
    if len(wide) > 2:
        axes.plot(
            x, np.nanmedian(wide.to_numpy(dtype=np.float64), axis=0), color=style.INK, linewidth=1.2, dashes=(4, 2)
        )
    for place, name in enumerate(chosen):
        look = style.look(place)
        axes.plot(x, wide.loc[name], color=look.colour, marker=look.marker, markersize=3.2, markeredgewidth=0)
    _name(axes, [(float(wide.loc[name].iloc[-1]), name) for name in chosen])
    axes.set_xlim(0, x.max() * 1.03)
    axes.set_xticks(*_ticks(budgets, x.max()))
    severity = "method" in table and (table["method"] == "corruption").all()
    axes.set_xlabel(
        "severity" if severity else f"eps ({table['norm'].iloc[0]})" if table["norm"].iloc[0] else "eps"
    )
    axes.set_ylim(-0.02, 1.02)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], labels=["0", "25", "50", "75", "100 %"])
    axes.set_ylabel("accuracy")
    axes.grid(visible=True, axis="y")


def _ticks(budgets: pd.DataFrame, largest: float) -> tuple[list[float], list[str]]:
    """The budgets as the study wrote them; one whose label would cover the last one's goes without."""
    places, labels = [0.0], ["clean"]
    for value, text in zip(budgets["eps_value"], budgets["eps"], strict=True):
        places.append(float(value))
        label = text.removeprefix(SEVERITY)
        labels.append(label if value - _last(places, labels) > 0.14 * largest else "")
    return places, labels


def _last(places: list[float], labels: list[str]) -> float:
    return max(place for place, label in zip(places, labels, strict=False) if label)


def _name(axes: Axes, ends: list[tuple[float, str]]) -> None:
    """Write names at the right, each as near to its line's end as the others let it."""
    order = sorted(range(len(ends)), key=lambda at: (-ends[at][0], at))
    heights = [ends[at][0] for at in order]
    for at in range(1, len(order)):
        heights[at] = min(heights[at], heights[at - 1] - _APART)
    low = min(heights, default=0.0)
    if low < 0:
        # Push the crowd at the bottom up again, as far as each must go.
        heights[-1] = 0.0
        for at in range(len(order) - 2, -1, -1):
            heights[at] = max(heights[at], heights[at + 1] + _APART)
    for height, at in zip(heights, order, strict=True):
        look, beside = style.look(at), axes.get_yaxis_transform()
        axes.plot(
            1.03, height, marker=look.marker, markersize=3.6, markeredgewidth=0, color=look.colour,
            transform=beside, clip_on=False,
        )  # fmt: skip
        name = style.shortened(ends[at][1], 26)
        axes.text(1.055, height, name, transform=beside, fontsize=style.TEXT_POINTS - 0.5, va="center_baseline")


def _width(name: str) -> float:
    return style.width(style.shortened(name, 26), style.TEXT_POINTS - 0.5)


def drawings(table: pd.DataFrame) -> Iterator[Drawing]:
    """One drawing an attack that has a budget."""
    for part in split.by_attack(table, "robustness-curves"):
        right = 0.3 + max(_width(name) for name in named(part.rows))
        yield Drawing(
            kind="robustness-curves",
            name=part.name,
            title="Accuracy as the budget grows",
            description=DESCRIPTION,
            rows=((
                Panel(
                    part.attack,
                    partial(draw, part.rows),
                    f"Accuracy of {part.rows['model'].nunique()} models, clean and under {part.attack} at "
                    f"{split.budgets(part.rows)}; the matrix holds every number.",
                ),
            ),),
            width=3.2 + right,
            height=2.8,
            margins=Margins(left=0.62, right=right, top=0.1),
        )  # fmt: skip
