"""The tables of an analysis: everything that is said about models, one tidy frame a question."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

import pandas as pd

from aggregate.collect import corruptions
from aggregate.scores.scores import Scores
from aggregate.statistics import (
    correlation,
    leave_family_out,
    mcnemar,
    prediction,
    regression,
    sampling,
    sampling_error,
)
from aggregate.statistics.arrays import Bits


@dataclass(frozen=True)
class Tables:
    """One frame a CSV file of analysis/, named as the field; docs/statistics.md says what each column is."""

    correlations: pd.DataFrame
    regressions: pd.DataFrame
    families: pd.DataFrame
    prediction: pd.DataFrame
    importance: pd.DataFrame
    comparisons: pd.DataFrame
    sampling: pd.DataFrame
    propagated: pd.DataFrame
    corruptions: pd.DataFrame

    def named(self) -> dict[str, pd.DataFrame]:
        """The frames by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def compute_tables(
    table: pd.DataFrame,
    scores: Scores | None,
    family: Mapping[str, str],
    robust: Mapping[tuple[str, str, str], Bits] | None = None,
    means: pd.DataFrame | None = None,
) -> Tables:
    """All statistics of a table of models under attack.

    table: columns of `aggregate.collect.table.Row`, at least model, attack, norm, eps, eps_value, images, robust,
    robust_accuracy and clean_accuracy. family: of each model. robust: see `mcnemar.comparisons`. means: of
    `corruptions.means`, whose rows the table has already.
    """
    predicted, importance = prediction.compute_predictions(table, scores, family)
    return Tables(
        correlations=correlation.compute_correlations(table, scores),
        regressions=regression.compute_regressions(table, scores),
        families=leave_family_out.leave_families_out(table, scores, family),
        prediction=predicted,
        importance=importance,
        comparisons=mcnemar.compare_models(table, robust or {}),
        sampling=sampling.estimate_sampling(table),
        propagated=sampling_error.compute_sampling_intervals(table, scores),
        corruptions=pd.DataFrame(columns=corruptions.COLUMNS) if means is None else means,
    )
