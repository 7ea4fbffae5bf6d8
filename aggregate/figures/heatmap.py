"""Heatmap: Spearman's correlation of every benchmark with accuracy at every budget, one panel per category."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize

from aggregate.figures import split, style
from aggregate.figures.drawing import Drawing, FigureKind, Margins, Panel
from aggregate.formatting import format_budget
from aggregate.scores.labels import score_label

KIND = FigureKind(
    name="benchmark-heatmap",
    title="Correlation of every benchmark with accuracy",
    description=(
        "Each row is a benchmark, each column a budget. A cell gives Spearman’s correlation, over models, between "
        "the benchmark’s score and accuracy. Bold: q < 0.05 after Benjamini and Hochberg’s correction. A dash: no "
        "correlation could be computed; correlations.csv gives the reason. Rows of a category are sorted by their "
        "mean correlation."
    ),
    make_drawings=lambda inputs: make_drawings(inputs.statistics.correlations),
)
_ROW, _CELL = 0.122, 0.235
"""Height of a row and width of a cell, in inches."""
_POINTS = style.SMALL_POINTS - 0.5
_LONGEST = 24
"""Length of the longest benchmark name, in characters."""
_MAX_ROWS = 56
"""Largest number of rows in one panel; a larger category is split into several panels."""


def select_rows(correlations: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of benchmarks; all rows if the scores have no benchmarks."""
    benchmarks = correlations[correlations["level"] == "benchmark"]
    return benchmarks if not benchmarks.empty else correlations


def rank_benchmarks(table: pd.DataFrame) -> list[str]:
    """Return the benchmarks by mean correlation, highest first; those without any number are last, by name."""
    mean = table.groupby("score", sort=False)["spearman_r"].mean()
    return sorted(mean.index, key=lambda name: (np.isnan(mean[name]), -np.nan_to_num(mean[name]), name))


def draw_panel(table: pd.DataFrame, axes: Axes) -> None:
    """Draw the correlations of one panel.

    Args:
        table: Columns attack, eps, eps_value, score, spearman_r, and spearman_q or spearman_p.
        axes: Axes to draw into.
    """
    names = rank_benchmarks(table)
    columns = list(table.groupby(["attack", "eps", "eps_value"], sort=False).groups)
    row_of = {name: at for at, name in enumerate(names)}
    column_of = {column: at for at, column in enumerate(columns)}
    corrected = "spearman_q" if "spearman_q" in table else "spearman_p"
    shade = Normalize(-1, 1)
    known = table[table["spearman_r"].notna()]
    x = np.array(
        [column_of[key] for key in zip(known["attack"], known["eps"], known["eps_value"], strict=True)], float
    )
    y = known["score"].map(row_of).to_numpy(dtype=np.float64)
    r = known["spearman_r"].to_numpy(dtype=np.float64)
    cells = style.make_boxes(x - 0.48, x + 0.48, y, 0.92, style.SHADES(shade(r)))
    axes.add_collection(cells, autolim=False)
    significant = (known[corrected] < 0.05).to_numpy()
    for at_x, at_y, value, bold in zip(x, y, r, significant, strict=True):
        axes.text(
            at_x, at_y, _format_r(value), ha="center", va="center_baseline", fontsize=_POINTS - 0.5,
            color=style.ON_DARK if abs(value) > 0.62 else style.ON_LIGHT, weight="bold" if bold else "normal",
        )  # fmt: skip
    for row in table[table["spearman_r"].isna()].itertuples():
        axes.text(
            column_of[row.attack, row.eps, row.eps_value], row_of[row.score], "–", ha="center", va="center",
            fontsize=_POINTS, color=style.MUTED,
        )  # fmt: skip
    for at, name in enumerate(style.shorten_all(names, _LONGEST)):
        axes.text(-0.62, at, name, ha="right", va="center_baseline", fontsize=_POINTS)
    axes.set_xlim(-0.5, len(columns) - 0.5)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_axis_off()
    for (_, eps, _), at in column_of.items():
        axes.text(
            at, -0.75, "clean" if eps == "0" else eps, rotation=50, ha="left", va="bottom",
            rotation_mode="anchor", fontsize=_POINTS,
        )  # fmt: skip


def _format_r(value: float) -> str:
    """Return two decimals without the zero before the point, such as "−.42"; 1 is "1.00"."""
    text = f"{value:+.2f}".replace("+", "").replace("-", "−")
    return text.replace("0.", ".", 1).removeprefix("−" if float(f"{value:.2f}") == 0 else "")


def make_drawings(correlations: pd.DataFrame) -> Iterator[Drawing]:
    """Make one drawing per attack, with clean accuracy as first column and one panel per category."""
    table = select_rows(correlations)
    clean, attacked = table[table["eps"] == "0"].drop_duplicates("score"), table[table["eps"] != "0"]
    for part in split.split_by_attack(clean if attacked.empty else attacked, KIND.name):
        if part.rows["spearman_r"].notna().any():
            yield _make_drawing(
                part.file_name,
                pd.concat([clean, part.rows], ignore_index=True) if not attacked.empty else part.rows,
            )


def _make_drawing(name: str, table: pd.DataFrame) -> Drawing:
    left = style.row_names_width(dict.fromkeys(table["score"]), _POINTS, _LONGEST) - 0.02
    longest = max(style.text_width("clean", _POINTS), *(style.text_width(eps, _POINTS) for eps in table["eps"]))
    margins = Margins(left=left, right=0.03 + 0.6 * longest, top=0.12 + 0.77 * longest, bottom=0.08)
    panels = []
    for category, category_rows in table.groupby("category", sort=False):
        names = rank_benchmarks(category_rows)
        pieces = -(-len(names) // _MAX_ROWS)
        for piece in range(pieces):
            first, end = (len(names) * at // pieces for at in (piece, piece + 1))
            rows = category_rows[category_rows["score"].isin(names[first:end])]
            label = score_label(str(category)) or "benchmarks"
            title = f"{label}, {first + 1} to {end}" if pieces > 1 else label
            height = margins.top + margins.bottom + _ROW * (end - first)
            panels.append(Panel(title, partial(draw_panel, rows), _summarize_panel(label, rows), height))
    return Drawing(
        kind=KIND,
        name=name,
        rows=tuple(tuple(panels[at : at + 3]) for at in range(0, len(panels), 3)),
        width=left + margins.right + _CELL * table.groupby(["attack", "eps"]).ngroups,
        height=max(panel.height or 0 for panel in panels),
        margins=margins,
    )


def _summarize_panel(label: str, rows: pd.DataFrame) -> str:
    known = rows.dropna(subset=["spearman_r"])
    if known.empty:
        return f"{label}: no correlation could be computed."
    lowest, highest = (
        f"{row['spearman_r']:.2f} ({row['score']}, {'clean' if row['eps'] == '0' else format_budget(row['eps'])})"
        for row in (known.loc[known["spearman_r"].idxmin()], known.loc[known["spearman_r"].idxmax()])
    )
    return (
        f"Spearman correlations of {rows['score'].nunique()} {label} benchmarks, from {lowest} to {highest}. The "
        "table of benchmarks below gives every number."
    )
