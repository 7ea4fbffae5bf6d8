"""Coverage: which planned pairs of model and attack have an outcome."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from aggregate.figures import shortening, style
from aggregate.figures.drawing import Drawing, FigureKind, Margins, Panel

KIND = FigureKind(
    name="coverage",
    title="Coverage of planned pairs",
    description=(
        "Each box is one pair of a model (x, in the study’s order) and an attack (y). Its colour and height show "
        "whether the pair is ok, failed or missing. At the right: ok pairs of planned pairs, per attack."
    ),
    make_drawings=lambda inputs: make_drawings(inputs.pairs),
)
_NAMED_MODELS = 40
"""Largest number of models that are drawn with their names."""
_SEPARATE_BOXES = 150
"""Largest number of models with a gap between boxes. Gaps below one pixel would look like missing pairs."""
_HEIGHTS = {"ok": 0.8, "failed": 0.8, "missing": 0.4}
"""Height of a box by state, so that colour is not the only sign."""


def draw_panel(table: pd.DataFrame, axes: Axes) -> None:
    """Draw the state of every pair.

    Args:
        table: Columns model, attack and state (ok, failed or missing).
        axes: Axes to draw into.
    """
    models = list(dict.fromkeys(table["model"]))
    attacks = list(dict.fromkeys(table["attack"]))
    style.draw_row_names(axes, attacks)
    x = table["model"].map({name: at for at, name in enumerate(models)}).to_numpy(dtype=np.float64)
    y = table["attack"].map({name: at for at, name in enumerate(attacks)}).to_numpy(dtype=np.float64)
    half = 0.42 if len(models) <= _SEPARATE_BOXES else 0.5
    for state, height in _HEIGHTS.items():
        in_state = (table["state"] == state).to_numpy()
        if in_state.any():
            boxes = style.make_boxes(
                x[in_state] - half, x[in_state] + half, y[in_state], height, style.STATES[state]
            )
            boxes.set_label(f"{state} ({in_state.sum()})")
            axes.add_collection(boxes, autolim=False)
    for at, attack in enumerate(attacks):
        of_attack = table[table["attack"] == attack]
        text = f"{(of_attack['state'] == 'ok').sum()} of {len(of_attack)}"
        axes.text(
            1.01, at, text, transform=axes.get_yaxis_transform(), va="center_baseline",
            fontsize=style.TEXT_POINTS - 0.5,
        )  # fmt: skip
    axes.set_xlim(-0.6, len(models) - 0.4)
    if len(models) <= _NAMED_MODELS:
        axes.set_xticks(range(len(models)), labels=[shortening.shorten(name, 24) for name in models], rotation=90)
        axes.tick_params(axis="x", length=0)
    else:
        style.set_index_axis(axes, len(models))
        axes.set_xlabel("models, in the study’s order")
    axes.legend(
        loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=3, handlelength=0.8, handleheight=0.8,
        handletextpad=0.4, columnspacing=1.0, borderaxespad=0.2,
    )  # fmt: skip


def make_drawings(pairs: pd.DataFrame) -> Iterator[Drawing]:
    """Make one drawing of all planned pairs; none if there is no planned pair."""
    planned = pairs[pairs["state"] != "stale"]
    if planned.empty:
        return
    models, attacks = list(dict.fromkeys(planned["model"])), list(dict.fromkeys(planned["attack"]))
    bottom = 0.4
    if len(models) <= _NAMED_MODELS:
        bottom = 0.1 + max(style.text_width(shortening.shorten(name, 24)) for name in models)
    ok = int((planned["state"] == "ok").sum())
    left = style.row_names_width(attacks)
    yield Drawing(
        kind=KIND,
        name=KIND.name,
        rows=((
            Panel(
                "coverage",
                partial(draw_panel, planned),
                f"{ok} of {len(planned)} pairs of {len(models)} models and {len(attacks)} attacks are ok. The "
                "list of pairs that are not ok gives the others.",
            ),
        ),),
        width=style.PAGE if len(models) > 12 else left + 0.8 + 0.3 * len(models),
        height=0.28 + bottom + 0.26 * len(attacks),
        margins=Margins(left=left, right=0.75, bottom=bottom, top=0.26),
    )  # fmt: skip
