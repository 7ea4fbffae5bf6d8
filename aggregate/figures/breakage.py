"""What broke the images: for each model, the share that each component of the attack broke."""

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import StepPatch

from aggregate.figures import robustness, split, style
from aggregate.figures.drawing import Drawing, Margins, Panel
from alignsec.spec.components import AUTOATTACK, COMPONENTS

_KEYS = 0.36
"""Inches: two lines of keys."""


def description() -> str:
    """Return what the figure shows, for its caption."""
    order = ", ".join(COMPONENTS[name].label for name in AUTOATTACK)
    return (
        "Each bar is a model at one budget, all its images: those that stay robust, those that each component "
        f"broke (components run in the order {order}, each on what is still robust), and "
        "those wrong when clean. Components that broke nothing are left out."
    )


def counts(table: pd.DataFrame) -> dict[str, style.Floats]:
    """How many images of each row became what, from best to worst; shape (rows,) each."""
    found = {
        "robust": table["robust"] - table["mended"],
        "right only when corrupted": table["mended"],
        **{breaker.meaning: table[breaker.column] for breaker in style.breakers_from_best()},
        "wrong when clean": table["images"] - table["clean_correct"] - table["mended"],
    }
    return {part: count.to_numpy(dtype=np.float64) for part, count in found.items()}


def present(table: pd.DataFrame) -> list[str]:
    """What became of some image of these rows."""
    return [part for part, count in counts(table).items() if count.any()]


def draw(table: pd.DataFrame, axes: Axes, parts: Sequence[str] | None = None) -> None:
    """Draw the rows of one attack at one budget: a named bar a model, or slim ones side by side for many.

    parts: what the key names; those of the rows themselves if None.
    """
    names = robustness.order(table)
    rows = table.set_index("model").loc[names]
    images = rows["images"].to_numpy(dtype=np.float64).clip(min=1)
    many = len(names) > robustness.DENSE
    if not many:
        style.rows(axes, names)
    edges = np.arange(len(names) + 1) - 0.5
    colours = style.fates()
    places, done = np.arange(len(names), dtype=np.float64), np.zeros(len(names))
    for part, count in counts(rows).items():
        upto = done + count / images
        if part in (present(table) if parts is None else parts):
            if many:
                # Not by stairs(), which measures each corner of each bar; the axes' limits are known.
                steps = StepPatch(
                    upto, edges, baseline=done,  # type: ignore[arg-type] # its stub forgets arrays
                    fill=True, facecolor=colours[part], label=part, linewidth=0,
                )  # fmt: skip
                axes.add_artist(steps)
            else:
                bars = style.boxes(done, upto, places, 0.72, colours[part])
                bars.set_label(part)
                axes.add_collection(bars, autolim=False)
        done = upto
    if many:
        style.counting_axis(axes, len(names))
        axes.set_xlabel("models, from the most robust to the least")
        axes.set_ylim(0, 1)
        axes.set_yticks([0, 0.5, 1], labels=["0", "50", "100 %"])
        axes.set_ylabel("share of images")
    else:
        style.percent_axis(axes, "share of images")
    axes.legend(
        loc="lower left" if many else "lower right", bbox_to_anchor=(-0.01 if many else 1.03, 1.0),
        # Two words of corruptions are as long as three of components.
        ncols=7 if many else 2 if table["mended"].any() else 3, handlelength=0.8, handleheight=0.8,
        handletextpad=0.4, columnspacing=0.9, borderaxespad=0.2, labelspacing=0.2,
    )  # fmt: skip


def drawings(table: pd.DataFrame) -> Iterator[Drawing]:
    """One drawing an attack, one panel a budget."""
    for part in split.by_attack(table, "broken-by"):
        names = part.rows["model"].unique()
        many = len(names) > robustness.DENSE
        panels = [
            Panel(
                f"{part.attack}, {split.budget(rows)}",
                partial(draw, rows, parts=present(part.rows)),
                f"What became of the images of {rows['model'].nunique()} models under {part.attack} at "
                f"{split.budget(rows)}; table.csv holds every count.",
            )
            for _, rows in part.rows.groupby("eps_value")
        ]
        across = 1 if many else 2
        yield Drawing(
            kind="broken-by",
            name=part.name,
            title="What broke the images",
            description=description(),
            rows=tuple(tuple(panels[at : at + across]) for at in range(0, len(panels), across)),
            width=style.PAGE if many else style.COLUMN + 0.05,
            height=1.7 if many else 0.4 + _KEYS + 0.19 * len(names),
            margins=Margins(left=0.62, top=0.2, right=0.15)
            if many
            else Margins(left=style.names_width(names), top=_KEYS, right=0.14),
            one_key=True,
        )
