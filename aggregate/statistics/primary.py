"""Primary analysis: the budget and the score that answer whether more human-like models are more robust."""

import pandas as pd

from aggregate.scores.hierarchy import AVERAGE, CATEGORIES
from aggregate.scores.labels import RECOMPUTED
from aggregate.statistics.adjusted_correlations import ALL, GIVEN_CLEAN

SCORES = (AVERAGE + RECOMPUTED, AVERAGE, CATEGORIES[0] + RECOMPUTED, CATEGORIES[0])
"""Scores that can answer the question; the first available one is used. A recomputed average does not count a
missing score as 0."""


def choose_budget(rows: pd.DataFrame, sampling: pd.DataFrame) -> str:
    """Return the budget at which the true accuracies of the models differ most.

    The choice uses robust accuracy alone, not the scores, so it does not favour any answer.

    Args:
        rows: Rows of table.csv of one attack.
        sampling: The table of `sampling.estimate_sampling`.
    """
    part = sampling[sampling["attack"] == rows["attack"].iloc[0]]
    if part["variance"].notna().any():
        true = part["variance"] - part["sampling_variance"].fillna(0)
        return str(part.loc[true.idxmax(), "eps"])
    return str(rows.loc[rows["eps_value"].idxmax(), "eps"])


def choose_score(adjusted: pd.DataFrame) -> str | None:
    """Return the score that answers the question, or None if no average or category was adjusted.

    Args:
        adjusted: Rows of adjusted.csv of one attack and budget.
    """
    given = adjusted[(adjusted["given"] == GIVEN_CLEAN) & (adjusted["models"] == ALL)]
    return next((name for name in SCORES if (given["score"] == name).any()), None)
