"""Heatmap: Spearman's correlation of every benchmark with accuracy at every budget, one panel per category."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize

from aggregate.figures import shortening, split, style
from aggregate.figures.drawing import Drawing, FigureKind, Margins, Panel
from aggregate.formatting import format_budget
from aggregate.scores.labels import score_label
from aggregate.statistics.arrays import Floats

KIND = FigureKind(
    name="benchmark-heatmap",
    title="Correlation of every benchmark with accuracy",
    description=(
        "Each row is a benchmark, each column a budget. A cell gives Spearman’s correlation, over models, between "
        "the benchmark’s score and accuracy. A dot and bold type mark q < 0.05: p of Spearman’s test after "
        "Benjamini and Hochberg’s correction. A dash: no correlation could be computed; "
        "correlations.csv gives the reason. Benchmarks of "
        "one source, such as Marques2020, have a common heading. Sources, and rows of a source, are sorted by "
        "mean correlation."
    ),
    make_drawings=lambda inputs: make_drawings(inputs.statistics.correlations),
)
_ROW, _CELL = 0.122, 0.235
"""Height of a row and width of a cell, in inches."""
_POINTS = style.SMALL_POINTS - 0.5
_LONGEST = 42
"""Length of the longest benchmark name below its heading, in characters."""
_SHORTEST = 16
"""Length to which names are shortened if the panels of a row do not fit the page."""
_MAX_ROWS = 56
"""Largest number of rows in one panel; a larger category is split into several panels."""
_SOURCE = re.compile(r"([A-Z][A-Za-z]*\d{4}|ImageNet-C)[-._]?(?=.)")
"""The publication or data set at the start of a benchmark's name."""
_SMALLEST_GROUP = 2
_OTHER = "other sources"


@dataclass(frozen=True)
class HeatmapRow:
    """A row of a panel: a benchmark, or the heading of the benchmarks of one source."""

    label: str
    benchmark: str = ""
    """Name of the benchmark; empty for a heading."""


def select_rows(correlations: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of benchmarks; all rows if the scores have no benchmarks."""
    benchmarks = correlations[correlations["level"] == "benchmark"]
    return benchmarks if not benchmarks.empty else correlations


def rank_benchmarks(table: pd.DataFrame) -> list[str]:
    """Return the benchmarks by mean correlation, highest first; those without any number are last, by name."""
    mean = table.groupby("score", sort=False)["spearman_r"].mean()
    return sorted(mean.index, key=lambda name: (np.isnan(mean[name]), -np.nan_to_num(mean[name]), name))


def group_by_source(ranked: Sequence[str]) -> list[HeatmapRow]:
    """Return the rows of benchmarks, those of one source together under a heading, single ones last.

    Args:
        ranked: Names of benchmarks. The first of a source determines the position of the source.
    """
    by_source: dict[str, list[str]] = {}
    for name in ranked:
        match = _SOURCE.match(name)
        by_source.setdefault(match[1] if match else name, []).append(name)
    groups = {source: names for source, names in by_source.items() if len(names) >= _SMALLEST_GROUP}
    single = [
        HeatmapRow(name, name) for source, names in by_source.items() if source not in groups for name in names
    ]
    rows: list[HeatmapRow] = []
    for source, names in groups.items():
        rows.append(HeatmapRow(source))
        rows.extend(HeatmapRow(_SOURCE.sub("", name, count=1), name) for name in names)
    return [*rows, *([HeatmapRow(_OTHER)] if groups and single else []), *single]


def split_rows(rows: Sequence[HeatmapRow]) -> list[list[HeatmapRow]]:
    """Split the rows of a category into panels of similar height; repeat a heading whose group is divided."""
    pieces = -(-len(rows) // _MAX_ROWS)
    panels = []
    for piece in range(pieces):
        first, end = (len(rows) * at // pieces for at in (piece, piece + 1))
        panel = list(rows[first:end])
        heading = next((row.label for row in reversed(rows[:first]) if not row.benchmark), "")
        if heading and panel[0].benchmark:
            panel.insert(0, HeatmapRow(f"{heading}, continued" if rows[first - 1].benchmark else heading))
        if not panel[-1].benchmark:
            panel.pop()  # a heading without rows; the next panel repeats it
        panels.append(panel)
    return panels


def draw_panel(table: pd.DataFrame, rows: Sequence[HeatmapRow], axes: Axes, longest: int = _LONGEST) -> None:
    """Draw the correlations of one panel.

    Args:
        table: Columns attack, eps, eps_value, score, spearman_r, and spearman_q or spearman_p.
        rows: The rows from top to bottom.
        axes: Axes to draw into.
        longest: Length of the longest label, in characters.
    """
    columns = list(table.groupby(["attack", "eps", "eps_value"], sort=False).groups)
    row_of = {row.benchmark: at for at, row in enumerate(rows) if row.benchmark}
    column_of = {column: at for at, column in enumerate(columns)}
    table = table[table["score"].isin(row_of)]
    known = table[table["spearman_r"].notna()]
    x = np.array(
        [column_of[key] for key in zip(known["attack"], known["eps"], known["eps_value"], strict=True)], float
    )
    axes.set_xlim(-0.5, len(columns) - 0.5)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_axis_off()
    _draw_cells(axes, known, x, known["score"].map(row_of).to_numpy(dtype=np.float64))
    for row in table[table["spearman_r"].isna()].itertuples():
        axes.text(
            column_of[row.attack, row.eps, row.eps_value], row_of[row.score], "–", ha="center", va="center",
            fontsize=_POINTS, color=style.MUTED,
        )  # fmt: skip
    for at, (row, label) in enumerate(zip(rows, _shorten_labels(rows, longest), strict=True)):
        weight = "normal" if row.benchmark else "bold"
        axes.text(-0.62, at, label, ha="right", va="center_baseline", fontsize=_POINTS, weight=weight)
    for (_, eps, _), at in column_of.items():
        axes.text(
            at, -0.75, "clean" if eps == "0" else eps, rotation=50, ha="left", va="bottom",
            rotation_mode="anchor", fontsize=_POINTS,
        )  # fmt: skip
    style.draw_colour_bar(axes, style.SHADES, -1, 1, "r", below=True)


def _draw_cells(axes: Axes, known: pd.DataFrame, x: Floats, y: Floats) -> None:
    """Draw coloured cells with their correlation; mark those with q < 0.05."""
    r = known["spearman_r"].to_numpy(dtype=np.float64)
    cells = style.make_boxes(x - 0.48, x + 0.48, y, 0.92, style.SHADES(Normalize(-1, 1)(r)))
    axes.add_collection(cells, autolim=False)
    significant = (known["spearman_q" if "spearman_q" in known else "spearman_p"] < 0.05).to_numpy()
    inks = [style.ON_DARK if abs(value) > 0.62 else style.ON_LIGHT for value in r]
    for at_x, at_y, value, bold, ink in zip(x, y, r, significant, inks, strict=True):
        axes.text(
            at_x, at_y, _format_r(value), ha="center", va="center_baseline", fontsize=_POINTS - 0.5,
            color=ink, weight="bold" if bold else "normal",
        )  # fmt: skip
    marked = [ink for ink, bold in zip(inks, significant, strict=True) if bold]
    axes.scatter(x[significant] + 0.41, y[significant] - 0.3, s=0.8, c=marked, linewidths=0)


def _shorten_labels(rows: Sequence[HeatmapRow], longest: int) -> list[str]:
    return shortening.shorten_all([row.label for row in rows], longest)


def _fit_labels(panels: Sequence[Sequence[HeatmapRow]], width: float) -> tuple[int, float]:
    """Return the length of the longest label and the width of the labels, at most `width` inches if possible."""
    for longest in range(_LONGEST, _SHORTEST - 1, -2):
        labels = [label for rows in panels for label in _shorten_labels(rows, longest)]
        needed = 0.1 + max(style.text_width(label, _POINTS) for label in labels)
        if needed <= width:
            break
    return longest, needed


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
    by_category = {
        str(category): split_rows(group_by_source(rank_benchmarks(rows)))
        for category, rows in table.groupby("category", sort=False)
    }
    heading = max(style.text_width("clean", _POINTS), *(style.text_width(eps, _POINTS) for eps in table["eps"]))
    right = 0.03 + 0.6 * heading
    cells = _CELL * table.groupby(["attack", "eps"]).ngroups
    all_rows = [rows for pieces in by_category.values() for rows in pieces]
    longest, left = _fit_labels(all_rows, style.PAGE / min(3, len(all_rows)) - right - cells)
    margins = Margins(left=left, right=right, top=0.12 + 0.77 * heading, bottom=0.3)
    panels = []
    for category, pieces in by_category.items():
        label = score_label(category) or "benchmarks"
        for at, rows in enumerate(pieces):
            shown = table[table["score"].isin([row.benchmark for row in rows]) & (table["category"] == category)]
            title = f"{label}, part {at + 1} of {len(pieces)}" if len(pieces) > 1 else label
            height = margins.top + margins.bottom + _ROW * len(rows)
            panels.append(
                Panel(
                    title,
                    partial(draw_panel, shown, rows, longest=longest),
                    _summarize_panel(label, shown),
                    height,
                )
            )
    return Drawing(
        kind=KIND,
        name=name,
        rows=tuple(tuple(panels[at : at + 3]) for at in range(0, len(panels), 3)),
        width=left + right + cells,
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
