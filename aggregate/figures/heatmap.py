"""The heatmap: Spearman's correlation of every benchmark with accuracy at every budget, categories set apart."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize

from aggregate.figures import split, style
from aggregate.figures.drawing import Drawing, Margins, Panel

DESCRIPTION = (
    "Each row is a benchmark, each column a budget: Spearman’s correlation, over models, of the benchmark’s "
    "score with accuracy. Bold: q < 0.05 after Benjamini and Hochberg’s correction. A dash: no number can be "
    "given; correlations.csv says why. Rows of a category are sorted by their mean."
)
KIND = "benchmark-heatmap"
_ROW, _CELL = 0.122, 0.235
_POINTS = style.SMALL_POINTS - 0.5
_LONGEST = 24
"""Letters of a benchmark's name."""
_TALLEST = 56
"""Rows in one panel; a category of more goes on in a further one."""


def table_of(correlations: pd.DataFrame) -> pd.DataFrame:
    """The rows a heatmap shows: benchmarks, or, where there are none, what there is."""
    benchmarks = correlations[correlations["level"] == "benchmark"]
    return benchmarks if not benchmarks.empty else correlations


def order(table: pd.DataFrame) -> list[str]:
    """The benchmarks of a table by mean correlation, highest first; those without any number last, by name."""
    mean = table.groupby("score", sort=False)["spearman_r"].mean()
    return sorted(mean.index, key=lambda name: (np.isnan(mean[name]), -np.nan_to_num(mean[name]), name))


def draw(table: pd.DataFrame, axes: Axes) -> None:
    """Draw rows of correlations: columns attack, norm, eps, eps_value, score, spearman_r, spearman_p or _q."""
    names = order(table)
    columns = list(table.groupby(["attack", "eps", "eps_value"], sort=False).groups)
    places = {name: at for at, name in enumerate(names)}
    across = {column: at for at, column in enumerate(columns)}
    corrected = "spearman_q" if "spearman_q" in table else "spearman_p"
    shade = Normalize(-1, 1)
    shown = table[table["spearman_r"].notna()]
    x = np.array(
        [across[key] for key in zip(shown["attack"], shown["eps"], shown["eps_value"], strict=True)], float
    )
    y = shown["score"].map(places).to_numpy(dtype=np.float64)
    r = shown["spearman_r"].to_numpy(dtype=np.float64)
    cells = style.boxes(x - 0.48, x + 0.48, y, 0.92, style.SHADES(shade(r)))
    axes.add_collection(cells, autolim=False)
    clear = (shown[corrected] < 0.05).to_numpy()
    for at_x, at_y, value, bold in zip(x, y, r, clear, strict=True):
        axes.text(
            at_x, at_y, _short(value), ha="center", va="center_baseline", fontsize=_POINTS - 0.5,
            color=style.ON_DARK if abs(value) > 0.62 else style.ON_LIGHT, weight="bold" if bold else "normal",
        )  # fmt: skip
    for row in table[table["spearman_r"].isna()].itertuples():
        axes.text(
            across[row.attack, row.eps, row.eps_value], places[row.score], "–", ha="center", va="center",
            fontsize=_POINTS, color=style.MUTED,
        )  # fmt: skip
    for at, name in enumerate(style.labels(names, _LONGEST)):
        axes.text(-0.62, at, name, ha="right", va="center_baseline", fontsize=_POINTS)
    axes.set_xlim(-0.5, len(columns) - 0.5)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_axis_off()
    for (_, eps, _), at in across.items():
        axes.text(
            at, -0.75, "clean" if eps == "0" else eps, rotation=50, ha="left", va="bottom",
            rotation_mode="anchor", fontsize=_POINTS,
        )  # fmt: skip


def _short(value: float) -> str:
    """Two decimals without the zero before the point: "−.42"; "1.00" stays."""
    text = f"{value:+.2f}".replace("+", "").replace("-", "−")
    return text.replace("0.", ".", 1).removeprefix("−" if float(f"{value:.2f}") == 0 else "")


def drawings(correlations: pd.DataFrame) -> Iterator[Drawing]:
    """One drawing an attack, its budgets beside the clean accuracy, one panel a category, side by side."""
    table = table_of(correlations)
    clean, attacked = table[table["eps"] == "0"].drop_duplicates("score"), table[table["eps"] != "0"]
    for part in split.by_attack(clean if attacked.empty else attacked, KIND):
        if part.rows["spearman_r"].notna().any():
            yield _drawing(
                part.name, pd.concat([clean, part.rows], ignore_index=True) if not attacked.empty else part.rows
            )


def _drawing(name: str, table: pd.DataFrame) -> Drawing:
    left = style.names_width(dict.fromkeys(table["score"]), _POINTS, _LONGEST) - 0.02
    longest = max(style.width("clean", _POINTS), *(style.width(eps, _POINTS) for eps in table["eps"]))
    margins = Margins(left=left, right=0.03 + 0.6 * longest, top=0.12 + 0.77 * longest, bottom=0.08)
    panels = []
    for category, part in table.groupby("category", sort=False):
        names = order(part)
        pieces = -(-len(names) // _TALLEST)
        for piece in range(pieces):
            first, end = (len(names) * at // pieces for at in (piece, piece + 1))
            rows = part[part["score"].isin(names[first:end])]
            label = str(category).removesuffix("_vision") or "benchmarks"
            title = f"{label}, {first + 1} to {end}" if pieces > 1 else label
            height = margins.top + margins.bottom + _ROW * (end - first)
            panels.append(Panel(title, partial(draw, rows), _said(label, rows), height))
    return Drawing(
        kind=KIND,
        name=name,
        title="Every benchmark at every budget",
        description=DESCRIPTION,
        rows=tuple(tuple(panels[at : at + 3]) for at in range(0, len(panels), 3)),
        width=left + margins.right + _CELL * table.groupby(["attack", "eps"]).ngroups,
        height=max(panel.height or 0 for panel in panels),
        margins=margins,
    )


def _called(eps: str) -> str:
    return "clean" if eps == "0" else split.called(eps)


def _said(label: str, rows: pd.DataFrame) -> str:
    known = rows.dropna(subset=["spearman_r"])
    if known.empty:
        return f"{label}: no correlation could be computed."
    low, high = known.loc[known["spearman_r"].idxmin()], known.loc[known["spearman_r"].idxmax()]
    return (
        f"Spearman correlations of {rows['score'].nunique()} {label} benchmarks, from {low['spearman_r']:.2f} "
        f"({low['score']}, {_called(low['eps'])}) to {high['spearman_r']:.2f} ({high['score']}, "
        f"{_called(high['eps'])}). The table of benchmarks below holds every number."
    )
