"""Answer: the primary score against robust accuracy, and the averages with and without clean accuracy."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, Normalize

from aggregate.figures import split, style
from aggregate.figures.drawing import Drawing, FigureInputs, FigureKind, Margins, Panel
from aggregate.formatting import format_budget
from aggregate.scores.labels import RECOMPUTED, score_label
from aggregate.statistics import correlation
from aggregate.statistics.adjusted_correlations import AGGREGATES, ALL, GIVEN_CLEAN
from aggregate.statistics.primary import choose_budget, choose_score

_NAME = "answer"
_CLEAN_SHADES = LinearSegmentedColormap.from_list("clean accuracy", ["#e69f00", "#b3667c", "#0b4f86"])
"""Colours of clean accuracy, legible on light and dark pages."""
_ROW_INCHES = 0.3


def draw_models(rows: pd.DataFrame, label: str, axes: Axes) -> None:
    """Draw one point per model.

    Args:
        rows: Columns alignment, robust_accuracy and clean_accuracy.
        label: Name of the score.
        axes: Axes to draw into.
    """
    clean = rows["clean_accuracy"].to_numpy(dtype=np.float64)
    low, high = (float(end(clean)) for end in (np.nanmin, np.nanmax))
    shades = _CLEAN_SHADES(Normalize(low, max(high, low + 1e-9))(clean))
    axes.scatter(
        rows["alignment"],
        rows["robust_accuracy"],
        c=shades,
        s=22 if len(rows) <= 40 else 12,
        linewidth=0,
        alpha=0.9,
    )
    axes.set_ylim(-0.04, 1.04)
    axes.set_yticks([0, 0.25, 0.5, 0.75, 1], labels=["0", "25", "50", "75", "100 %"])
    axes.set_ylabel("robust accuracy")
    axes.set_xlabel(label)
    axes.grid(visible=True)
    axes.margins(x=0.06)
    style.draw_colour_bar(axes, _CLEAN_SHADES, low, high, "clean accuracy, %", percent=True)


def draw_correlations(rows: pd.DataFrame, axes: Axes) -> None:
    """Draw the correlations of averages and categories, with their intervals.

    Args:
        rows: Columns score, given, r, low and high; two rows per score.
        axes: Axes to draw into.
    """
    names = list(dict.fromkeys(rows["score"]))
    style.draw_row_names(axes, [score_label(name) for name in names])
    for given, shift, face in (("", -0.16, style.PAPER), (GIVEN_CLEAN, 0.16, style.SERIES[0])):
        part = rows[rows["given"] == given].set_index("score").reindex(names)
        places = np.arange(len(names)) + shift
        axes.hlines(places, part["low"], part["high"], color=style.SERIES[0], linewidth=1.6)
        axes.plot(
            part["r"], places, linestyle="none", marker="o", markersize=4.6, markerfacecolor=face,
            markeredgecolor=style.SERIES[0], markeredgewidth=1.1,
        )  # fmt: skip
    axes.axvline(0, color=style.MUTED, linewidth=0.8)
    axes.set_xlim(-1.02, 1.02)
    axes.set_xticks([-1, -0.5, 0, 0.5, 1], labels=["−1", "−0.5", "0", "0.5", "1"])
    axes.set_xlabel("correlation with robust accuracy")
    axes.grid(visible=True, axis="x")


def make_drawings(inputs: FigureInputs) -> Iterator[Drawing]:
    """Make one drawing per attack whose primary correlation could be computed."""
    adjusted, scores = inputs.statistics.adjusted, inputs.scores
    if scores is None or adjusted.empty:
        return
    for part in split.split_by_attack(inputs.attacked, _NAME):
        eps = choose_budget(part.rows, inputs.statistics.sampling)
        found = adjusted[(adjusted["attack"] == part.attack) & (adjusted["eps"] == eps)]
        score = choose_score(found)
        if score is None or found[found["score"] == score]["r"].isna().all():
            continue
        joined = correlation.join_scores(part.rows[part.rows["eps"] == eps], scores, score)
        rows = _select_rows(found)
        budget, label = format_budget(eps), score_label(score)
        height = 2.7
        yield Drawing(
            kind=KIND,
            name=part.file_name,
            rows=(
                (Panel(
                    f"{part.attack}, {budget}",
                    partial(draw_models, joined, label),
                    f"Scatter plot: {label} and robust accuracy of {len(joined)} models under {part.attack} at "
                    f"{budget}.",
                ),),
                (Panel(
                    f"Correlations at {budget}",
                    partial(draw_correlations, rows),
                    f"Correlations with robust accuracy, given clean accuracy: {_list_estimates(rows)}.",
                    height=min(height, 0.75 + _ROW_INCHES * rows["score"].nunique()),
                ),),
            ),
            width=style.COLUMN + 0.4,
            height=height,
            margins=Margins(
                left=max(0.62, style.row_names_width(score_label(name) for name in rows["score"])), right=0.14,
                top=0.36, bottom=0.42,
            ),
            attack=part.attack,
        )  # fmt: skip


def _select_rows(found: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of averages and categories; a recomputed one replaces that of the file."""
    rows = found[found["level"].isin(AGGREGATES) & (found["models"] == ALL) & found["r"].notna()]
    rows = rows[rows["given"].isin(["", GIVEN_CLEAN])]
    replaced = {name.removesuffix(RECOMPUTED) for name in rows["score"] if name.endswith(RECOMPUTED)}
    return rows[~rows["score"].isin(replaced)]


def _list_estimates(rows: pd.DataFrame) -> str:
    given = rows[rows["given"] == GIVEN_CLEAN]
    return "; ".join(
        f"{score_label(row.score)} {row.r:.2f} ({row.low:.2f} to {row.high:.2f})" for row in given.itertuples()
    )


KIND = FigureKind(
    name=_NAME,
    title="Are more human-like models more robust?",
    description=(
        "Above: each point is one model; its colour is its clean accuracy. Below: correlations of averages and "
        "categories with robust accuracy and 95 % intervals that allow for architecture families; filled among "
        "models of equal clean accuracy, hollow without this adjustment."
    ),
    make_drawings=make_drawings,
)
