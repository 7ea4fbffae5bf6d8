"""Alignment against robust accuracy: one point per model, one colour per budget, and least-squares lines."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from scipy import stats

from aggregate import formatting
from aggregate.figures import split, style
from aggregate.figures.drawing import Drawing, FigureKind, Margins, Panel
from aggregate.scores.scores import Scores
from aggregate.statistics import correlation

KIND = FigureKind(
    name="alignment",
    title="Alignment and robust accuracy",
    description=(
        "Each point is one model at one budget: its alignment score (x) and its robust accuracy (y). Lines are "
        "least-squares fits; the legend gives R², p of the F test and n of each. In this test models count as "
        "independent. “No fit” means that there are too few models "
        "or that one of the two quantities is constant."
    ),
    make_drawings=lambda inputs: make_drawings(inputs.attacked_or_clean, inputs.scores) if inputs.scores else (),
)
_FEW_MODELS = 40
"""Largest number of models that are drawn with large, nearly opaque marks."""


def draw_panel(table: pd.DataFrame, axes: Axes) -> None:
    """Draw the rows of one attack against one score.

    Args:
        table: Columns eps, eps_value, robust_accuracy and alignment.
        axes: Axes to draw into.
    """
    for place, (_, rows) in enumerate(table.groupby("eps_value")):
        series = style.series_style(place)
        x, y = (rows[name].to_numpy(dtype=np.float64) for name in ("alignment", "robust_accuracy"))
        budget = split.format_budget_of(rows)
        if correlation.check_computable(x, y):
            label = f"{budget}: no fit, n = {len(x)}"
        else:
            fit = stats.linregress(x, y)
            ends = np.array([x.min(), x.max()])
            axes.plot(ends, fit.intercept + fit.slope * ends, color=series.colour, linewidth=1.5, zorder=3)
            label = f"{budget}: R² = {fit.rvalue**2:.2f}, {_format_p(fit.pvalue)}, n = {len(x)}"
        axes.plot(
            x,
            y,
            linestyle="none",
            marker=series.marker,
            markersize=4 if len(x) <= _FEW_MODELS else 2.8,
            markeredgewidth=0,
            alpha=0.85 if len(x) <= _FEW_MODELS else 0.5,
            color=series.colour,
            label=label,
        )
    axes.set_ylim(-0.04, 1.04)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], labels=["0", "25", "50", "75", "100 %"])
    axes.set_ylabel("robust accuracy")
    axes.set_xlabel("alignment score")
    axes.grid(visible=True)
    axes.margins(x=0.06)
    axes.locator_params(axis="x", nbins=6)
    axes.legend(
        loc="lower left", bbox_to_anchor=(-0.02, 1.0), handletextpad=0.2, borderaxespad=0.2, labelspacing=0.25
    )


def _format_p(p: float) -> str:
    text = formatting.format_p(p)
    return f"F test p {text}" if text.startswith("<") else f"F test p = {text}"


def make_drawings(table: pd.DataFrame, scores: Scores) -> Iterator[Drawing]:
    """Make one drawing per attack: one panel for the average score and one for each category."""
    for part in split.split_by_attack(table, KIND.name):
        panels = []
        for column in scores.aggregates:
            joined = correlation.join_scores(part.rows, scores, column.name)
            if joined.empty:
                continue
            panels.append(Panel(
                f"{column.label} ({part.attack})",
                partial(draw_panel, joined),
                f"Scatter plot: {column.label} alignment score and robust accuracy of {joined['model'].nunique()} "
                f"models under {part.attack} at {split.format_budgets_of(joined)}. The tables of this report give "
                "every number.",
            ))  # fmt: skip
        if panels:
            legend_height = 0.06 + 0.142 * int(part.rows["eps"].nunique())
            yield Drawing(
                kind=KIND,
                name=part.file_name,
                rows=tuple(tuple(panels[at : at + 2]) for at in range(0, len(panels), 2)),
                width=style.PAGE / 2,
                height=2.3 + legend_height,
                margins=Margins(left=0.62, top=legend_height, right=0.14),
            )
