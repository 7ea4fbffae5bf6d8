"""Condensed tables: the statistics' long frames in as few rows as a page has room for; CSV files hold the rest."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from aggregate.formatting import format_budget
from aggregate.scores.labels import score_label

_CLEAR = 0.05
_BUDGET = ["attack", "norm", "eps", "eps_value"]


@dataclass(frozen=True)
class LeftOut:
    """How one score's correlation at one budget changes as families of architectures are left out."""

    budget: str
    score: str
    n: int
    spearman_r: float
    """Of all models."""
    lowest: float
    without_lowest: str
    """The family whose absence gives the lowest r; n of the rest in brackets."""
    highest: float
    without_highest: str
    families: int
    note: str
    """Why there is no number, where there is none."""


def families(frame: pd.DataFrame, correlations: pd.DataFrame) -> Iterator[LeftOut]:
    """One row a budget and score, in the frame's order."""
    overall = correlations.set_index(["attack", "eps", "score"])[["spearman_r", "n"]]
    for (attack, eps, score), part in frame.groupby(["attack", "eps", "score"], sort=False):
        r, n = overall.loc[(attack, eps, score)]
        known = part[part["spearman_r"].notna()]
        first = (_called(attack, eps), score_label(score), int(n), float(r))
        if known.empty:
            yield LeftOut(*first, float("nan"), "", float("nan"), "", len(part), part["note"].mode().iloc[0])
            continue
        low, high = (known.loc[at] for at in (known["spearman_r"].idxmin(), known["spearman_r"].idxmax()))
        yield LeftOut(
            *first, low["spearman_r"], f"{low['left_out']} (n = {low['n']})",
            high["spearman_r"], f"{high['left_out']} (n = {high['n']})", len(part), "",
        )  # fmt: skip


@dataclass(frozen=True)
class Compared:
    """What McNemar's tests say of all pairs of models at one budget."""

    budget: str
    models: int
    """Models in these pairs: beyond `mcnemar.MOST` the most robust."""
    of: int
    """Models with an outcome there."""
    pairs: int
    """Pairs of models that could be tested."""
    clear: int
    """Of them, those with q < 0.05."""
    best: str
    """The model that is significantly better than most others."""
    beaten: int
    """How many others that is."""
    note: str


def comparisons(frame: pd.DataFrame, table: pd.DataFrame) -> Iterator[Compared]:
    """One row a budget, in the frame's order. table: the run's own."""
    models = table.groupby(["attack", "eps"])["model"].nunique()
    for (attack, _, eps, _), part in frame.groupby(_BUDGET, sort=False, dropna=False):
        tested = part[part["q"].notna()]
        clear = tested[tested["q"] < _CLEAR]
        winners = clear["model_a"].where(clear["only_a"] > clear["only_b"], clear["model_b"]).value_counts()
        best = sorted(winners.index[winners == winners.max()]) if len(winners) else [""]
        notes = part.loc[part["q"].isna(), "note"]
        yield Compared(
            _called(attack, eps), len({*part["model_a"], *part["model_b"]}), int(models[attack, eps]),
            len(tested), len(clear), best[0],
            int(winners.max()) if len(winners) else 0, str(notes.mode().iloc[0]) if len(notes) else "",
        )  # fmt: skip


def importance(frame: pd.DataFrame, most: int = 10) -> list[tuple[str, list[Any]]]:
    """The most important benchmarks of each budget that could be predicted."""
    parts = frame[frame["importance"].notna()].groupby(_BUDGET, sort=False, dropna=False)
    return [
        (_called(attack, eps), list(part.nlargest(most, "importance", keep="first").itertuples()))
        for (attack, _, eps, _), part in parts
    ]


def by_budget(frame: pd.DataFrame) -> list[tuple[str, list[Any]]]:
    """The rows of a frame, each attack and budget under its own heading."""
    parts = frame.groupby(["attack", "eps"], sort=False)
    return [(_called(attack, eps), list(part.itertuples())) for (attack, eps), part in parts]


def _called(attack: str, eps: str) -> str:
    return attack if eps == "0" else f"{attack}, {format_budget(eps)}"
