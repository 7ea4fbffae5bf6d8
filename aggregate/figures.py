"""The figures of an analysis: which there are, what stands in each panel, and how large."""

import math
from functools import partial

import pandas as pd

from aggregate import alignment_figure, breakage_figure, robustness_figure
from aggregate.drawing import Drawing, Panel
from aggregate.scores import Column, Scores
from aggregate.statistics import correlation

NAMES = ("robust-accuracy", "alignment", "broken-by")
"""Of every figure there can be: what an earlier analysis drew and this one does not is removed."""

_LONGEST = 50
"""Models in one column; more stand in further columns, so that a page stays a page."""
_ABREAST = 2
"""Panels of alignment in one row."""
_MARGIN = 1.0
"""Inches for legend and axis, above and below the rows of models."""
_MODEL_PANEL = 4.4
"""Inches: as wide as still reads on a phone, with names of models beside the axes."""
_SQUARE_PANEL = (3.6, 3.4)


def of(table: pd.DataFrame, scores: Scores | None) -> list[Drawing]:
    """The figures that the table and the scores allow, in the report's order; none for an empty table."""
    table = table[table["images"] > 0]
    if table.empty:
        return []
    attacked = table[table["method"] != "clean"]
    # A study of clean accuracy alone still has something to show.
    shown = table if attacked.empty else attacked
    drawings = [_robustness(shown), _alignment(shown, scores) if scores else None, _breakage(attacked)]
    return [drawing for drawing in drawings if drawing is not None]


def _by_attack(table: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    return [(str(attack), part) for attack, part in table.groupby("attack", sort=False)]


def _height(parts: list[pd.DataFrame]) -> float:
    """Of a panel with one row a model, tall enough for the fullest of them."""
    models = max(int(part["model"].nunique()) for part in parts)
    budgets = max(int(part["eps"].nunique()) for part in parts)
    return _MARGIN + models * robustness_figure.row_inches(models, budgets)


def _robustness(table: pd.DataFrame) -> Drawing:
    rows: list[tuple[Panel, ...]] = []
    parts = []
    for attack, of_attack in _by_attack(table):
        names = robustness_figure.order(of_attack)
        panels = []
        columns = math.ceil(len(names) / _LONGEST)
        for column in range(columns):
            first, end = (len(names) * at // columns for at in (column, column + 1))
            chosen = names[first:end]
            part = of_attack[of_attack["model"].isin(chosen)]
            parts.append(part)
            title = f"{attack}, models {first + 1} to {end}" if columns > 1 else attack
            about = (
                f"Robust accuracy of {len(chosen)} models under {attack} at eps {_budgets(part)}. "
                "The matrix above holds every number."
            )
            panels.append(Panel(title, partial(robustness_figure.draw, part), about))
        rows.append(tuple(panels))
    return Drawing(
        name="robust-accuracy",
        title="Robust accuracy by model and budget",
        description=robustness_figure.DESCRIPTION,
        rows=tuple(rows) if len(rows[0]) > 1 else (tuple(panel for row in rows for panel in row),),
        width=_MODEL_PANEL,
        height=_height(parts),
    )


def _alignment(table: pd.DataFrame, scores: Scores) -> Drawing | None:
    rows: list[tuple[Panel, ...]] = []
    for attack, part in _by_attack(table):
        found = [_alignment_panel(attack, part, scores, column) for column in scores.aggregates]
        panels = [panel for panel in found if panel is not None]
        rows.extend(tuple(panels[at : at + _ABREAST]) for at in range(0, len(panels), _ABREAST))
    if not rows:
        return None
    width, height = _SQUARE_PANEL
    return Drawing(
        name="alignment",
        title="Alignment against robust accuracy",
        description=alignment_figure.DESCRIPTION,
        rows=tuple(rows),
        width=width,
        height=height,
    )


def _alignment_panel(attack: str, table: pd.DataFrame, scores: Scores, column: Column) -> Panel | None:
    both = correlation.joined(table, scores, column.name)
    if both.empty:
        return None
    return Panel(
        f"{column.label} ({attack})",
        partial(alignment_figure.draw, both),
        f"{column.label} alignment against robust accuracy of {both['model'].nunique()} models under {attack} "
        f"at eps {_budgets(both)}. The table of correlations below holds every number.",
    )


def _breakage(table: pd.DataFrame) -> Drawing | None:
    if table.empty:
        return None
    rows = tuple(
        tuple(
            Panel(
                f"{attack}, eps {part['eps'].iloc[0]}",
                partial(breakage_figure.draw, part),
                f"What became of the images of {part['model'].nunique()} models under {attack} at eps "
                f"{part['eps'].iloc[0]}; table.csv holds every count.",
            )
            for _, part in of_attack.groupby("eps_value")
        )
        for attack, of_attack in _by_attack(table)
    )
    models = max(int(part["model"].nunique()) for _, part in _by_attack(table))
    return Drawing(
        name="broken-by",
        title="What broke the images",
        description=breakage_figure.DESCRIPTION,
        rows=rows,
        width=_MODEL_PANEL,
        height=_MARGIN + 0.2 + models * min(robustness_figure.row_inches(models, 1), 0.24),
    )


def _budgets(table: pd.DataFrame) -> str:
    """The budgets in ascending order, such as "0.001, 0.5/255 and 1/255"."""
    eps = list(table.sort_values("eps_value", kind="stable")["eps"].unique())
    return " and ".join([", ".join(eps[:-1]), eps[-1]]) if len(eps) > 1 else str(eps[0])
