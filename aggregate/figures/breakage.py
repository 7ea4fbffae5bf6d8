"""Verdicts by model: the share of images that are robust, broken by each component, and wrong when clean."""

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import StepPatch

from aggregate.figures import robustness, split, style
from aggregate.figures.drawing import Drawing, FigureKind, Margins, Panel
from aggregate.statistics.arrays import Floats
from alignsec.spec.audit import STRATA
from alignsec.spec.components import AUTOATTACK, COMPONENTS

_ORDER = ", ".join(COMPONENTS[name].label for name in AUTOATTACK)
KIND = FigureKind(
    name="broken-by",
    title="Verdicts by model and budget",
    description=(
        "Each bar is a model at one budget and shows all its images: robust, broken by a component of the attack, "
        f"or wrong when clean. Components run in the order {_ORDER}, each on the images that are still robust. "
        "Verdicts that no image has are left out."
    ),
    make_drawings=lambda inputs: make_drawings(
        inputs.attacked[inputs.attacked["robust"].notna()]  # published accuracies have no verdicts
    ),
)
_LEGEND_HEIGHT = 0.36
"""Height of two lines of the legend, in inches."""


def count_verdicts(table: pd.DataFrame) -> dict[str, Floats]:
    """Count the images of each row by verdict.

    Args:
        table: Rows of table.csv that have verdicts.

    Returns:
        An array of shape (rows,) for each verdict, from best to worst.
    """
    unaudited = _count_unaudited(table)
    counts = {
        "robust": table["robust"] - table["mended"] - unaudited,
        style.UNAUDITED_VERDICT: unaudited,
        "right only when corrupted": table["mended"],
        **{breaker.meaning: table[breaker.column] for breaker in style.breakers_from_best()},
        "wrong when clean": table["images"] - table["clean_correct"] - table["mended"],
    }
    return {verdict: count.to_numpy(dtype=np.float64) for verdict, count in counts.items()}


def _count_unaudited(table: pd.DataFrame) -> "pd.Series[float]":
    """Return the number of images of each row that an audit left out."""
    counts = pd.Series(0.0, index=table.index)
    if "near_survivors" in table:
        for stratum in STRATA:
            left = (table[f"{stratum}_survivors"] - table[f"{stratum}_audited"]).astype("Float64").fillna(0.0)
            counts += left.astype("float64")
    return counts


def list_verdicts(table: pd.DataFrame) -> list[str]:
    """Return the verdicts that at least one image of these rows has, from best to worst."""
    return [verdict for verdict, count in count_verdicts(table).items() if count.any()]


def draw_panel(table: pd.DataFrame, axes: Axes, verdicts: Sequence[str] | None = None) -> None:
    """Draw the rows of one attack at one budget, one bar per model.

    Bars are horizontal with names; more than `robustness.DENSE` models have narrow vertical bars without names.

    Args:
        table: Rows of table.csv that have verdicts.
        axes: Axes to draw into.
        verdicts: Verdicts to draw and list in the legend; those of the rows if None.
    """
    names = robustness.rank_models(table)
    rows = table.set_index("model").loc[names]
    images = rows["images"].to_numpy(dtype=np.float64).clip(min=1)
    many = len(names) > robustness.DENSE
    if not many:
        style.draw_row_names(axes, names)
    edges = np.arange(len(names) + 1) - 0.5
    colours = style.verdict_colours()
    places, start = np.arange(len(names), dtype=np.float64), np.zeros(len(names))
    for verdict, count in count_verdicts(rows).items():
        end = start + count / images
        if verdict in (list_verdicts(table) if verdicts is None else verdicts):
            if many:
                # stairs() would measure every corner of every bar, although the limits of the axes are known.
                steps = StepPatch(
                    end, edges, baseline=start,  # type: ignore[arg-type] # the stub does not accept arrays
                    fill=True, facecolor=colours[verdict], label=verdict, linewidth=0,
                )  # fmt: skip
                axes.add_artist(steps)
            else:
                bars = style.make_boxes(start, end, places, 0.72, colours[verdict])
                bars.set_label(verdict)
                axes.add_collection(bars, autolim=False)
        start = end
    if many:
        style.set_index_axis(axes, len(names))
        axes.set_xlabel("models, from the most to the least robust")
        axes.set_ylim(0, 1)
        axes.set_yticks([0, 0.5, 1], labels=["0", "50", "100 %"])
        axes.set_ylabel("share of images")
    else:
        style.set_percent_axis(axes, "share of images")
    axes.legend(
        loc="lower left" if many else "lower right", bbox_to_anchor=(-0.01 if many else 1.03, 1.0),
        # Two labels of corruptions are as wide as three labels of components.
        ncols=7 if many else 2 if table["mended"].any() else 3, handlelength=0.8, handleheight=0.8,
        handletextpad=0.4, columnspacing=0.9, borderaxespad=0.2, labelspacing=0.2,
    )  # fmt: skip


def make_drawings(table: pd.DataFrame) -> Iterator[Drawing]:
    """Make one drawing per attack, with one panel per budget."""
    for part in split.split_by_attack(table, KIND.name):
        names = part.rows["model"].unique()
        many = len(names) > robustness.DENSE
        panels = [
            Panel(
                f"{part.attack}, {split.format_budget_of(rows)}",
                partial(draw_panel, rows, verdicts=list_verdicts(part.rows)),
                f"Share of images by verdict for {rows['model'].nunique()} models under {part.attack} at "
                f"{split.format_budget_of(rows)}. table.csv gives every count.",
            )
            for _, rows in part.rows.groupby("eps_value")
        ]
        across = 1 if many else 2
        yield Drawing(
            kind=KIND,
            name=part.file_name,
            rows=tuple(tuple(panels[at : at + across]) for at in range(0, len(panels), across)),
            width=style.PAGE if many else style.COLUMN + 0.05,
            height=1.7 if many else 0.4 + _LEGEND_HEIGHT + 0.19 * len(names),
            margins=Margins(left=0.62, top=0.2, right=0.15)
            if many
            else Margins(left=style.row_names_width(names), top=_LEGEND_HEIGHT, right=0.14),
            shared_legend=True,
        )
