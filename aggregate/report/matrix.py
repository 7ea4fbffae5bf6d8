"""The matrix: every model against every budget of every attack, or a state where there is no number."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from aggregate.collect import corruptions
from aggregate.collect.tally import PairState
from aggregate.figures import robustness
from alignsec.run.plan import Plan


@dataclass(frozen=True)
class Cell:
    """One model at one budget."""

    state: Literal["ok", "failed", "missing", "not planned"]
    count: int | None = 0
    """None of the mean over corruptions, which is none of images."""
    images: int = 0
    share: float = 0.0
    low: float = 0.0
    high: float = 0.0
    note: str = ""
    """Why there is no mean over corruptions."""

    @property
    def order(self) -> str:
        """What its column is sorted by; empty in cells without a number, which come after all others."""
        return str(self.share) if self.state == "ok" else ""


@dataclass(frozen=True)
class MatrixRow:
    """One model."""

    model: str
    clean: Cell
    top5: float | None
    """Share of images whose label is among the five highest logits when clean; None where it was not recorded."""
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Matrix:
    """Columns, grouped by attack, and rows, the most robust model first."""

    attacks: tuple[tuple[str, tuple[str, ...]], ...]
    """Each attack that is not the clean one, and its budgets as text; those of a corruption are its severities.
    The mean over corruptions comes last, where there is one."""
    rows: tuple[MatrixRow, ...]


def build_matrix(plan: Plan, pairs: Sequence[PairState], table: pd.DataFrame, means: pd.DataFrame) -> Matrix:
    """Lay the table out, and the means over corruptions (`corruptions.means`) behind it.

    Clean accuracy is that of any pair of the model: all judge the same clean images.
    """
    attacked = [pair for pair in plan if pair.attack.method != "clean"]
    columns: dict[str, dict[str, float]] = {}
    named: dict[tuple[str, str, str], str] = {}
    for pair in attacked:
        for eps in pair.attack.budgets:
            level = pair.attack.level(eps)
            columns.setdefault(pair.attack.series, {})[level.label] = level.value
            named[pair.model.name, pair.attack.series, level.label] = pair.attack.name
    states = {(pair.model, pair.attack): pair.state for pair in pairs if pair.state != "stale"}
    robust = {
        (row.model, row.attack, row.eps): Cell(
            "ok", row.robust, row.images, row.robust_accuracy, row.robust_low, row.robust_high
        )
        for row in table.itertuples()
        if row.images
    }
    clean = {
        row.model: Cell("ok", row.clean_correct, row.images, row.clean_accuracy, row.clean_low, row.clean_high)
        for row in table.itertuples()
        if row.images
    }

    top5 = {
        row.model: row.clean_top5_accuracy
        for row in table.itertuples()
        if row.clean_top5_accuracy is not None and not pd.isna(row.clean_top5_accuracy)
    }

    def cell(model: str, attack: str, eps: str) -> Cell:
        state = states.get((model, named.get((model, attack, eps), "")), "not planned")
        if state == "failed":
            return Cell("failed")
        return robust.get((model, attack, eps), Cell("missing" if state != "not planned" else "not planned"))

    last = {mean.model: (_mean(mean),) for mean in means.itertuples()}
    grouped = tuple((name, tuple(sorted(levels, key=lambda eps: levels[eps]))) for name, levels in columns.items())
    return Matrix(
        (*grouped, *((corruptions.ATTACK, (eps,)) for eps in means["severities"].iloc[:1])),
        tuple(
            MatrixRow(
                name,
                clean.get(name, Cell("missing")),
                top5.get(name),
                (
                    *(cell(name, attack, eps) for attack, budgets in grouped for eps in budgets),
                    *last.get(name, ()),
                ),
            )
            for name in _order(plan, table, next(iter(columns), None))
        ),
    )


def _mean(mean: Any) -> Cell:  # noqa: ANN401 # a row of itertuples has no name of its own
    if mean.note:
        return Cell("missing", note=mean.note)
    return Cell("ok", None, mean.images, mean.mean_accuracy, mean.low, mean.high)


def _order(plan: Plan, table: pd.DataFrame, attack: str | None) -> list[str]:
    """As in the first attack's figure; models without a number there follow in the plan's order."""
    names = dict.fromkeys(pair.model.name for pair in plan)
    rows = table[table["images"] > 0]
    ranked = robustness.rank_models(rows[rows["attack"] == attack] if attack else rows)
    return list(dict.fromkeys([*ranked, *names]))
