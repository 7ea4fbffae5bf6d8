"""Coverage: which pairs of the matrix of models and attacks are there."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from aggregate.figures import style
from aggregate.figures.drawing import Drawing, Margins, Panel

DESCRIPTION = (
    "Each box is a pair of a model (from left to right in the study’s order) and an attack: answered, failed, or "
    "missing. The count at the right is of answered pairs among those planned."
)
_FEW = 40
"""Models up to which each is named."""
_APART = 150
"""Models up to which boxes stand apart: gaps narrower than a pixel would look like missing pairs."""
_HEIGHTS = {"ok": 0.8, "failed": 0.8, "missing": 0.4}
"""Of a box, so that colour is not the only sign."""


def draw(table: pd.DataFrame, axes: Axes) -> None:
    """Draw pairs: columns model, attack, state (ok, failed or missing)."""
    models = list(dict.fromkeys(table["model"]))
    attacks = list(dict.fromkeys(table["attack"]))
    style.rows(axes, attacks)
    x = table["model"].map({name: at for at, name in enumerate(models)}).to_numpy(dtype=np.float64)
    y = table["attack"].map({name: at for at, name in enumerate(attacks)}).to_numpy(dtype=np.float64)
    half = 0.42 if len(models) <= _APART else 0.5
    for state, height in _HEIGHTS.items():
        mine = (table["state"] == state).to_numpy()
        if mine.any():
            boxes = style.boxes(x[mine] - half, x[mine] + half, y[mine], height, style.STATES[state])
            boxes.set_label(f"{state} ({mine.sum()})")
            axes.add_collection(boxes, autolim=False)
    for at, attack in enumerate(attacks):
        of_attack = table[table["attack"] == attack]
        text = f"{(of_attack['state'] == 'ok').sum()} of {len(of_attack)}"
        beside = axes.get_yaxis_transform()
        axes.text(1.01, at, text, transform=beside, va="center_baseline", fontsize=style.TEXT_POINTS - 0.5)
    axes.set_xlim(-0.6, len(models) - 0.4)
    if len(models) <= _FEW:
        axes.set_xticks(range(len(models)), labels=[style.shortened(name, 24) for name in models], rotation=90)
        axes.tick_params(axis="x", length=0)
    else:
        style.counting_axis(axes, len(models))
        axes.set_xlabel("models, in the study’s order")
    axes.legend(
        loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=3, handlelength=0.8, handleheight=0.8,
        handletextpad=0.4, columnspacing=1.0, borderaxespad=0.2,
    )  # fmt: skip


def drawings(pairs: pd.DataFrame) -> Iterator[Drawing]:
    """One drawing of all planned pairs."""
    planned = pairs[pairs["state"] != "stale"]
    if planned.empty:
        return
    models, attacks = list(dict.fromkeys(planned["model"])), list(dict.fromkeys(planned["attack"]))
    bottom = 0.4
    if len(models) <= _FEW:
        bottom = 0.1 + max(style.width(style.shortened(name, 24)) for name in models)
    ok = int((planned["state"] == "ok").sum())
    left = style.names_width(attacks)
    yield Drawing(
        kind="coverage",
        name="coverage",
        title="Coverage of the matrix",
        description=DESCRIPTION,
        rows=((
            Panel(
                "coverage",
                partial(draw, planned),
                f"{ok} of {len(planned)} pairs of {len(models)} models and {len(attacks)} attacks are ok; the "
                "list of pairs that are not ok names the others.",
            ),
        ),),
        width=style.PAGE if len(models) > 12 else left + 0.8 + 0.3 * len(models),
        height=0.28 + bottom + 0.26 * len(attacks),
        margins=Margins(left=left, right=0.75, bottom=bottom, top=0.26),
    )  # fmt: skip
