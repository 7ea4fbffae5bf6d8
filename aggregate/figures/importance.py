"""Importance: the benchmarks that the prediction of robust accuracy leans on, with intervals."""

from collections.abc import Iterator
from functools import partial

import pandas as pd
from matplotlib.axes import Axes

from aggregate.figures import split, style
from aggregate.figures.drawing import Drawing, Margins, Panel

DESCRIPTION = (
    "The R² that predictions for held-out models lose when one benchmark’s scores are shuffled among them, the "
    "fifteen largest, with 95 % intervals. Benchmarks that say the same share their importance between them."
)
_MOST = 15
_LONGEST = 30


def draw(table: pd.DataFrame, axes: Axes, looks: dict[str, style.Look]) -> None:
    """Draw the largest of one budget's importances; looks: by category."""
    shown = table.nlargest(_MOST, "importance", keep="first").reset_index(drop=True)
    style.rows(axes, list(shown["benchmark"]), style.SMALL_POINTS + 0.5, _LONGEST)
    axes.axvline(0, color=style.MUTED, linewidth=0.8)
    for category, look in looks.items():
        part = shown[shown["category"] == category]
        axes.hlines(part.index, part["low"], part["high"], color=look.colour, linewidth=1.0)
        axes.plot(
            part["importance"], part.index, linestyle="none", marker=look.marker, markersize=3.8,
            markeredgewidth=0, color=look.colour, label=category.removesuffix("_vision") or "benchmarks",
        )  # fmt: skip
    axes.set_xlabel("R² lost when shuffled")
    axes.grid(visible=True, axis="x")
    axes.locator_params(axis="x", nbins=4)
    axes.legend(
        loc="lower right", bbox_to_anchor=(1.02, 1.0), ncols=3, handletextpad=0.1, columnspacing=0.8,
        borderaxespad=0.2,
    )  # fmt: skip


def drawings(importance: pd.DataFrame) -> Iterator[Drawing]:
    """One drawing an attack, one panel a budget that could be predicted."""
    table = importance[importance["importance"].notna() & (importance["eps"] != "0")]
    looks = style.looks(table["category"])
    for part in split.by_attack(table, "importance"):
        at_budgets = [rows for _, rows in part.rows.groupby("eps_value")]
        points = style.SMALL_POINTS + 0.5
        shown = pd.concat(rows.nlargest(_MOST, "importance", keep="first") for rows in at_budgets)
        panels = [
            Panel(
                f"{part.attack}, {split.budget(rows)}",
                partial(draw, rows, looks=looks),
                f"The benchmarks that predict robust accuracy under {part.attack} at {split.budget(rows)} most. "
                "The table of importances holds the numbers.",
            )
            for rows in at_budgets
        ]
        yield Drawing(
            kind="importance",
            name=part.name,
            title="What the prediction leans on",
            description=DESCRIPTION,
            rows=tuple(tuple(panels[at : at + 2]) for at in range(0, len(panels), 2)),
            width=style.PAGE / 2,
            height=0.65 + 0.15 * min(_MOST, max(len(rows) for rows in at_budgets)),
            margins=Margins(
                left=style.names_width(dict.fromkeys(shown["benchmark"]), points, _LONGEST), right=0.14
            ),
            one_key=True,
        )  # fmt: skip
