"""The matrix: robust accuracy of every model at every budget, or the state of a pair without outcome."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from aggregate.collect import corruptions
from aggregate.collect.tally import PairRow
from aggregate.figures import robustness
from aggregate.report.audit_findings import is_estimated
from alignsec.run.plan import Plan


@dataclass(frozen=True)
class Cell:
    """The accuracy of one model at one budget."""

    state: Literal["ok", "failed", "missing", "not planned"]
    count: int | None = 0
    """Number of robust images; None for estimates and for the mean over corruptions, which do not count images."""
    images: int = 0
    share: float = 0.0
    """Accuracy, from 0 to 1."""
    low: float = 0.0
    high: float = 0.0
    note: str = ""
    """Reason if there is no mean over corruptions, or that the accuracy is an estimate."""

    @property
    def order(self) -> str:
        """Value by which the column is sorted; empty in cells without a number, which are sorted last."""
        return str(self.share) if self.state == "ok" else ""


@dataclass(frozen=True)
class MatrixRow:
    """The accuracies of one model."""

    model: str
    clean: Cell
    top5: float | None
    """Clean top-5 accuracy, from 0 to 1; None if it was not recorded."""
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Matrix:
    """Columns grouped by attack, and rows sorted by robust accuracy, highest first."""

    attacks: tuple[tuple[str, tuple[str, ...]], ...]
    """Name and budgets of each attack except the clean one. The budgets of a corruption are its severities. The
    mean over corruptions, if any, is the last."""
    rows: tuple[MatrixRow, ...]


def build_matrix(plan: Plan, pairs: Sequence[PairRow], table: pd.DataFrame, means: pd.DataFrame) -> Matrix:
    """Arrange the table as a matrix, with the means over corruptions as last column.

    Clean accuracy is taken from any pair of the model, because all pairs have the same clean images.

    Args:
        plan: The plan of the run.
        pairs: States of all pairs.
        table: Rows of table.csv.
        means: Rows of `corruptions.means`.

    Returns:
        The matrix.
    """
    columns, planned = _plan_columns(plan)
    states = {(pair.model, pair.attack): pair.state for pair in pairs if pair.state != "stale"}
    robust, clean, top5 = _read_accuracies(table)
    last_cells = {mean.model: (_make_mean_cell(mean),) for mean in means.itertuples()}

    def make_cell(model: str, attack: str, eps: str) -> Cell:
        state = states.get((model, planned.get((model, attack, eps), "")), "not planned")
        if state == "failed":
            return Cell("failed")
        return robust.get((model, attack, eps), Cell("missing" if state != "not planned" else "not planned"))

    rows = tuple(
        MatrixRow(
            model,
            clean.get(model, Cell("missing")),
            top5.get(model),
            (
                *(make_cell(model, attack, eps) for attack, budgets in columns for eps in budgets),
                *last_cells.get(model, ()),
            ),
        )
        for model in _order_models(plan, table, columns[0][0] if columns else None)
    )
    last_column = tuple((corruptions.ATTACK, (eps,)) for eps in means["severities"].iloc[:1])
    return Matrix((*columns, *last_column), rows)


def _plan_columns(plan: Plan) -> tuple[tuple[tuple[str, tuple[str, ...]], ...], dict[tuple[str, str, str], str]]:
    """Return the planned columns.

    Returns:
        Name and budgets of each attack, the budgets in ascending order; and the name of the pair's attack by
        model, attack of the column, and budget. The two names differ for severities of one corruption.
    """
    levels: dict[str, dict[str, float]] = {}
    planned: dict[tuple[str, str, str], str] = {}
    for pair in plan:
        if pair.attack.method == "clean":
            continue
        for eps in pair.attack.budgets:
            level = pair.attack.level(eps)
            levels.setdefault(pair.attack.series, {})[level.label] = level.value
            planned[pair.model.name, pair.attack.series, level.label] = pair.attack.name
    columns = tuple((attack, tuple(sorted(values, key=values.__getitem__))) for attack, values in levels.items())
    return columns, planned


def _read_accuracies(
    table: pd.DataFrame,
) -> tuple[dict[tuple[str, str, str], Cell], dict[str, Cell], dict[str, float]]:
    """Return robust accuracy by model, attack and budget; clean accuracy by model; top-5 accuracy by model."""
    robust, clean, top5 = {}, {}, {}
    for row in table.itertuples():
        if row.images:
            estimated = is_estimated(row)
            robust[row.model, row.attack, row.eps] = Cell(
                "ok",
                None if estimated else row.robust,
                row.images,
                row.robust_accuracy,
                row.robust_low,
                row.robust_high,
                "estimated" if estimated else "",
            )
            clean[row.model] = Cell(
                "ok", row.clean_correct, row.images, row.clean_accuracy, row.clean_low, row.clean_high
            )
        if not pd.isna(row.clean_top5_accuracy):
            top5[row.model] = row.clean_top5_accuracy
    return robust, clean, top5


def _make_mean_cell(mean: Any) -> Cell:  # noqa: ANN401 # rows of itertuples have no type
    if mean.note:
        return Cell("missing", note=mean.note)
    return Cell("ok", None, mean.images, mean.mean_accuracy, mean.low, mean.high)


def _order_models(plan: Plan, table: pd.DataFrame, attack: str | None) -> list[str]:
    """Return the models as in the figure of an attack; models without a number follow in the order of the plan."""
    names = dict.fromkeys(pair.model.name for pair in plan)
    rows = table[table["images"] > 0]
    ranked = robustness.rank_models(rows[rows["attack"] == attack] if attack else rows)
    return list(dict.fromkeys([*ranked, *names]))
