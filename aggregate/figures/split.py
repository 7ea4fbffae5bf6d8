"""Splits of a table by attack and budget, with the file names and labels of the parts."""

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from aggregate.formatting import format_budget
from alignsec.spec.level import LevelKind, find_kind, join_labels
from alignsec.spec.pair import slug


@dataclass(frozen=True)
class AttackRows:
    """The rows of one attack."""

    attack: str
    file_name: str
    """Name of the figure's files without extension: the figure's kind, and the attack if there are several."""
    rows: pd.DataFrame


def split_by_attack(table: pd.DataFrame, kind: str) -> Iterator[AttackRows]:
    """Split a table by attack, in the order of the table.

    Args:
        table: Rows with a column `attack`.
        kind: Name of the figure's kind, the start of each file name.

    Yields:
        The rows of each attack. File names are unique even if two attacks have the same slug.
    """
    groups = list(table.groupby("attack", sort=False))
    taken: set[str] = set()
    for at, (attack, rows) in enumerate(groups):
        name = kind if len(groups) == 1 else f"{kind}--{slug(str(attack))}"
        name = f"{name}-{at + 1}" if name in taken else name
        taken.add(name)
        yield AttackRows(str(attack), name, rows)


def find_level_kind(rows: pd.DataFrame) -> LevelKind:
    """Return the kind of the levels of one attack's rows; "eps" if the table has no column `method`."""
    return find_kind(str(rows["method"].iloc[0])) if "method" in rows else "eps"


def format_budget_of(rows: pd.DataFrame) -> str:
    """Return the label of the one budget of these rows, such as "eps 1/255", "severity 3" or "clean"."""
    first = rows.iloc[0]
    return format_budget(str(first["eps"]), str(first.get("method", "")))


def format_budgets_of(rows: pd.DataFrame) -> str:
    """Return the budgets of these rows in ascending order, such as "eps 0.001, 0.5/255 and 1/255"."""
    labels = [str(eps) for eps in rows.sort_values("eps_value", kind="stable")["eps"].unique()]
    return format_budget(join_labels(labels, " and "), str(rows["method"].iloc[0]) if "method" in rows else "")
