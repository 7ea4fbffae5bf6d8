"""Tables of an analysis: one tidy data frame per statistical method."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

import pandas as pd

from aggregate.collect import corruptions
from aggregate.scores.scores import Scores
from aggregate.statistics import (
    added_prediction,
    adjusted_correlations,
    correlation,
    leave_family_out,
    mcnemar,
    prediction,
    regression,
    sampling,
    sampling_error,
    specification_curve,
)
from aggregate.statistics.arrays import Bits
from aggregate.statistics.networks import Networks


@dataclass(frozen=True)
class Tables:
    """The data frames of an analysis. Each is written to analysis/ as a CSV file with the name of its field.

    docs/statistics.md describes the columns.
    """

    adjusted: pd.DataFrame
    specifications: pd.DataFrame
    specification_summary: pd.DataFrame
    added: pd.DataFrame
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
        """Return the data frames by field name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def compute_tables(
    table: pd.DataFrame,
    scores: Scores | None,
    networks: Networks,
    robust: Mapping[tuple[str, str, str], Bits] | None = None,
    means: pd.DataFrame | None = None,
) -> Tables:
    """Compute all statistics of a table of accuracies.

    Args:
        table: Columns of `aggregate.collect.table.Row`, at least model, attack, norm, eps, eps_value, images,
            robust, robust_accuracy and clean_accuracy.
        scores: The alignment scores; None leaves all tables that need scores empty.
        networks: Families, networks under several names, and clean verdicts.
        robust: Packed bits of the robust images, see `mcnemar.compare_models`. None skips the pairwise tests.
        means: Result of `corruptions.average_corruptions`; its rows are already part of the table.
    """
    bits, family = robust or {}, networks.family
    predicted, importance = prediction.compute_predictions(table, scores, family)
    curve, summary = specification_curve.specification_curve(table, scores, networks, bits)
    return Tables(
        adjusted=adjusted_correlations.adjusted_correlations(table, scores, networks, bits),
        specifications=curve,
        specification_summary=summary,
        added=added_prediction.added_predictions(table, scores, networks),
        correlations=correlation.compute_correlations(table, scores),
        regressions=regression.compute_regressions(table, scores),
        families=leave_family_out.leave_families_out(table, scores, family),
        prediction=predicted,
        importance=importance,
        comparisons=mcnemar.compare_models(table, bits),
        sampling=sampling.estimate_sampling(table, bits),
        propagated=sampling_error.compute_sampling_intervals(table, scores),
        corruptions=pd.DataFrame(columns=corruptions.COLUMNS) if means is None else means,
    )
