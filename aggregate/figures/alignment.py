"""Alignment against robust accuracy: one point a model, one colour a budget, with the least-squares line."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from scipy import stats

from aggregate import formatting
from aggregate.figures import split, style
from aggregate.figures.drawing import Drawing, Margins, Panel
from aggregate.scores.scores import Scores
from aggregate.statistics import correlation

DESCRIPTION = (
    "Each point is a model: its alignment score against its robust accuracy at one budget. Lines are "
    "least-squares fits; R², p and n stand beside each. No line is drawn where the numbers do not allow one."
)


def draw(table: pd.DataFrame, axes: Axes) -> None:
    """Draw one attack's rows joined with one score: columns eps, eps_value, robust_accuracy, alignment."""
    for place, (_, part) in enumerate(table.groupby("eps_value")):
        look = style.look(place)
        x, y = (part[name].to_numpy(dtype=np.float64) for name in ("alignment", "robust_accuracy"))
        name = split.budget(part)
        if correlation.refusal(x, y):
            label = f"{name}: no fit, n = {len(x)}"
        else:
            fit = stats.linregress(x, y)
            ends = np.array([x.min(), x.max()])
            axes.plot(ends, fit.intercept + fit.slope * ends, color=look.colour, linewidth=1.5, zorder=3)
            label = f"{name}: R² = {fit.rvalue**2:.2f}, {_p(fit.pvalue)}, n = {len(x)}"
        axes.plot(
            x,
            y,
            linestyle="none",
            marker=look.marker,
            markersize=4 if len(x) <= 40 else 2.8,
            markeredgewidth=0,
            alpha=0.85 if len(x) <= 40 else 0.5,
            color=look.colour,
            label=label,
        )
    axes.set_ylim(-0.04, 1.04)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], labels=["0", "25", "50", "75", "100 %"])
    axes.set_ylabel("robust accuracy")
    axes.set_xlabel("alignment score")
    axes.grid(visible=True)
    axes.margins(x=0.06)
    axes.legend(
        loc="lower left", bbox_to_anchor=(-0.02, 1.0), handletextpad=0.2, borderaxespad=0.2, labelspacing=0.25
    )


def _p(p: float) -> str:
    text = formatting.p_value(p)
    return f"p {text}" if text.startswith("<") else f"p = {text}"


def drawings(table: pd.DataFrame, scores: Scores) -> Iterator[Drawing]:
    """One drawing an attack, one panel for the average and one for each category."""
    for part in split.by_attack(table, "alignment"):
        panels = []
        for column in scores.aggregates:
            both = correlation.joined(part.rows, scores, column.name)
            if both.empty:
                continue
            panels.append(Panel(
                f"{column.label} ({part.attack})",
                partial(draw, both),
                f"{column.label} alignment against robust accuracy of {both['model'].nunique()} models under "
                f"{part.attack} at {split.budgets(both)}. The tables of this report hold every number.",
            ))  # fmt: skip
        if panels:
            keys = 0.06 + 0.142 * int(part.rows["eps"].nunique())
            yield Drawing(
                kind="alignment",
                name=part.name,
                title="Alignment against robust accuracy",
                description=DESCRIPTION,
                rows=tuple(tuple(panels[at : at + 2]) for at in range(0, len(panels), 2)),
                width=style.PAGE / 2,
                height=2.3 + keys,
                margins=Margins(left=0.62, top=keys, right=0.14),
            )
