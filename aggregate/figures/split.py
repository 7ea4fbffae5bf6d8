"""Splits: a table's rows attack by attack and budget by budget, each with the words it is called by."""

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from alignsec.spec.attack import SEVERITY
from alignsec.spec.pair import slug


@dataclass(frozen=True)
class Part:
    """The rows of one attack."""

    attack: str
    name: str
    """Of its file: the figure's kind, and the attack where there are several."""
    rows: pd.DataFrame


def by_attack(table: pd.DataFrame, kind: str) -> Iterator[Part]:
    """The attacks of a table in its order; names of files are told apart even where slugs are not."""
    parts = list(table.groupby("attack", sort=False))
    taken: set[str] = set()
    for at, (attack, rows) in enumerate(parts):
        name = kind if len(parts) == 1 else f"{kind}--{slug(str(attack))}"
        name = f"{name}-{at + 1}" if name in taken else name
        taken.add(name)
        yield Part(str(attack), name, rows)


def budget(rows: pd.DataFrame) -> str:
    """What the budget of these rows, which all have one, is called: "eps 1/255", "severity 3", "clean"."""
    first = rows.iloc[0]
    return called(str(first["eps"]), str(first.get("method", "")))


def called(eps: str, method: str = "") -> str:
    """A budget in words."""
    if method == "clean":
        return "clean"
    return eps if eps.startswith(SEVERITY) else f"eps {eps}"


def budgets(rows: pd.DataFrame) -> str:
    """The budgets in ascending order, such as "eps 0.001, 0.5/255 and 1/255"."""
    first, *rest = (str(eps) for eps in rows.sort_values("eps_value", kind="stable")["eps"].unique())
    names = [first, *(eps.removeprefix(SEVERITY) for eps in rest)]
    text = " and ".join([", ".join(names[:-1]), names[-1]]) if rest else first
    return called(text, str(rows["method"].iloc[0]) if "method" in rows else "")
