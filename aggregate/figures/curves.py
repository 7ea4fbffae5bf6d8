"""Robustness curves: accuracy against budget, one line per model, some of them named."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from aggregate.collect import corruptions
from aggregate.figures import robustness, shortening, split, style
from aggregate.figures.drawing import Drawing, FigureInputs, FigureKind, Margins, Panel
from alignsec.spec.level import strip_kind

KIND = FigureKind(
    name="robustness-curves",
    title="Accuracy against budget",
    description=(
        "Each line is a model: accuracy on clean images at x = 0, then robust accuracy at each budget. Coloured "
        "and named: the most robust models, the model with the highest clean accuracy, and the least robust "
        "model. The dashed line is the median over all models."
    ),
    make_drawings=lambda inputs: make_drawings(_select_rows(inputs)),
)
_NAMED = len(style.SERIES)
_LONGEST = 26
"""Length of the longest name, in characters."""
_MIN_DISTANCE = 0.062
"""Smallest distance between two names, as a share of the height of the axes."""


def _select_rows(inputs: FigureInputs) -> pd.DataFrame:
    """Return the rows of attacks; the mean over corruptions has one budget and so no curve."""
    return inputs.attacked[inputs.attacked["attack"] != corruptions.ATTACK]


def select_named_models(table: pd.DataFrame) -> list[str]:
    """Select the models whose names are drawn.

    Args:
        table: Rows of one attack; columns model, clean_accuracy and robust_accuracy.

    Returns:
        All models if there is a colour for each; otherwise the most robust ones, the one with the highest clean
        accuracy, and the least robust one.
    """
    ranked = robustness.rank_models(table)
    if len(ranked) <= _NAMED:
        return ranked
    clean = table.drop_duplicates("model").set_index("model")["clean_accuracy"]
    most_accurate = next(name for name in ranked if clean[name] == clean.max())
    return list(dict.fromkeys([*ranked[: _NAMED - 2], most_accurate, ranked[-1]]))


def draw_panel(table: pd.DataFrame, axes: Axes) -> None:
    """Draw the rows of one attack.

    Args:
        table: Columns model, clean_accuracy, norm, eps, eps_value and robust_accuracy.
        axes: Axes to draw into.
    """
    budgets = table.drop_duplicates("eps_value").sort_values("eps_value")
    wide = table.pivot_table(index="model", columns="eps_value", values="robust_accuracy")
    wide.insert(0, 0.0, table.drop_duplicates("model").set_index("model")["clean_accuracy"], allow_duplicates=True)
    x = wide.columns.to_numpy(dtype=np.float64)
    named = select_named_models(table)
    others = wide.drop(index=named).to_numpy(dtype=np.float64)
    axes.add_collection(
        LineCollection([np.column_stack([x, y]) for y in others], colors=style.MUTED, linewidths=0.5, alpha=0.4)
    )
    if len(wide) > 2:
        axes.plot(
            x, np.nanmedian(wide.to_numpy(dtype=np.float64), axis=0), color=style.INK, linewidth=1.2, dashes=(4, 2)
        )
    for place, name in enumerate(named):
        series = style.series_style(place)
        axes.plot(x, wide.loc[name], color=series.colour, marker=series.marker, markersize=3.2, markeredgewidth=0)
    _draw_names(axes, [(float(wide.loc[name].iloc[-1]), name) for name in named])
    axes.set_xlim(0, x.max() * 1.03)
    axes.set_xticks(*_make_ticks(budgets, x.max()))
    is_corruption = split.find_level_kind(table) == "severity"
    axes.set_xlabel(
        "severity" if is_corruption else f"eps ({table['norm'].iloc[0]})" if table["norm"].iloc[0] else "eps"
    )
    axes.set_ylim(-0.02, 1.02)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], labels=["0", "25", "50", "75", "100 %"])
    axes.set_ylabel("accuracy")
    axes.grid(visible=True, axis="y")


def _make_ticks(budgets: pd.DataFrame, largest: float) -> tuple[list[float], list[str]]:
    """Return ticks and labels as the study writes the budgets; a label that would overlap the last is empty."""
    places, labels = [0.0], ["clean"]
    for value, text in zip(budgets["eps_value"], budgets["eps"], strict=True):
        places.append(float(value))
        label = strip_kind(text)
        labels.append(label if value - _last_labelled(places, labels) > 0.14 * largest else "")
    return places, labels


def _last_labelled(places: list[float], labels: list[str]) -> float:
    return max(place for place, label in zip(places, labels, strict=False) if label)


def _draw_names(axes: Axes, line_ends: list[tuple[float, str]]) -> None:
    """Write the names at the right of the lines, moved apart where they would overlap.

    Args:
        axes: Axes to draw into.
        line_ends: The y value of the last point of each line, and the name of its model.
    """
    order = sorted(range(len(line_ends)), key=lambda at: (-line_ends[at][0], at))
    heights = [line_ends[at][0] for at in order]
    for at in range(1, len(order)):
        heights[at] = min(heights[at], heights[at - 1] - _MIN_DISTANCE)
    if min(heights, default=0.0) < 0:
        # Names below the axes: move the lowest to 0, and move the others up until they do not overlap.
        heights[-1] = 0.0
        for at in range(len(order) - 2, -1, -1):
            heights[at] = max(heights[at], heights[at + 1] + _MIN_DISTANCE)
    for height, at in zip(heights, order, strict=True):
        series, transform = style.series_style(at), axes.get_yaxis_transform()
        axes.plot(
            1.03, height, marker=series.marker, markersize=3.6, markeredgewidth=0, color=series.colour,
            transform=transform, clip_on=False,
        )  # fmt: skip
        name = shortening.shorten(line_ends[at][1], _LONGEST)
        axes.text(1.055, height, name, transform=transform, fontsize=style.TEXT_POINTS - 0.5, va="center_baseline")


def _name_width(name: str) -> float:
    return style.text_width(shortening.shorten(name, _LONGEST), style.TEXT_POINTS - 0.5)


def make_drawings(table: pd.DataFrame) -> Iterator[Drawing]:
    """Make one drawing per attack, with one panel."""
    for part in split.split_by_attack(table, KIND.name):
        right = 0.3 + max(_name_width(name) for name in select_named_models(part.rows))
        yield Drawing(
            kind=KIND,
            name=part.file_name,
            rows=((
                Panel(
                    part.attack,
                    partial(draw_panel, part.rows),
                    f"Accuracy of {part.rows['model'].nunique()} models on clean images and under {part.attack} "
                    f"at {split.format_budgets_of(part.rows)}. The matrix gives every number.",
                ),
            ),),
            width=3.2 + right,
            height=2.8,
            margins=Margins(left=0.62, right=right, top=0.1),
        )  # fmt: skip
