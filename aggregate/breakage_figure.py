"""What broke the images: for each model, the share that each component of the attack broke."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from aggregate import robustness_figure, style

COLUMNS = {
    "robust": "robust",
    "broken by square": "broken_by_square",
    "broken by fab-t": "broken_by_fab_t",
    "broken by apgd-t": "broken_by_apgd_t",
    "broken by apgd-ce": "broken_by_apgd_ce",
}
DESCRIPTION = (
    "Each bar is a model at one budget, all its images: those that stay robust, those that each component "
    "broke (components run in the order APGD-CE, APGD-T, FAB-T, Square, each on what is still robust), and "
    "those wrong when clean. Components that broke nothing are left out."
)


def draw(table: pd.DataFrame, axes: Axes) -> None:
    """Draw the rows of one attack at one budget, the most robust model on top."""
    names = robustness_figure.order(table)
    rows = table.set_index("model").loc[names]
    images = rows["images"].to_numpy(dtype=np.float64).clip(min=1)
    counts = {part: rows[column].to_numpy(dtype=np.float64) for part, column in COLUMNS.items()}
    counts["wrong when clean"] = (rows["images"] - rows["clean_correct"]).to_numpy(dtype=np.float64)
    style.model_axis(axes, names)
    places = np.arange(len(names), dtype=np.float64)
    left = np.zeros(len(names))
    for part, count in counts.items():
        if count.any():
            right = left + count / images
            bars = style.boxes(left, right, places, 0.72, style.PARTS[part])
            bars.set_label(part)
            axes.add_collection(bars, autolim=False)
        left = left + count / images
    style.percent_axis(axes, "share of images")
    axes.legend(
        loc="lower right", bbox_to_anchor=(1.02, 1.0), ncols=3, handlelength=0.9, handleheight=0.9,
        handletextpad=0.4, columnspacing=1.0, borderaxespad=0.2,
    )  # fmt: skip
