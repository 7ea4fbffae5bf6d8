"""Tables of an analysis: one tidy data frame per statistical method."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields

import pandas as pd

from aggregate.collect import corruptions
from aggregate.partial_results import Result, attempt
from aggregate.scores.scores import Scores
from aggregate.statistics import (
    added_prediction,
    leave_family_out,
    mcnemar,
    prediction,
    ranking,
    regression,
    sampling,
    sampling_error,
)
from aggregate.statistics.adjusted_correlations import adjusted_correlations
from aggregate.statistics.arrays import Bits
from aggregate.statistics.correlation import compute_correlations
from aggregate.statistics.dimensions import find_dimensions
from aggregate.statistics.networks import Networks
from aggregate.statistics.shapes import find_shapes
from aggregate.statistics.specification_curve import specification_curve

_Data = tuple[pd.DataFrame, Scores | None, Mapping[tuple[str, str, str], Bits]]
"""What a table is computed from: accuracies, alignment scores, and bits of robust images."""


@dataclass(frozen=True)
class Tables:
    """The data frames of an analysis. Each is written to analysis/ as a CSV file with the name of its field.

    docs/statistics.md describes the columns.
    """

    adjusted: pd.DataFrame
    specifications: pd.DataFrame
    specification_summary: pd.DataFrame
    shapes: pd.DataFrame
    dimensions: pd.DataFrame
    loadings: pd.DataFrame
    added: pd.DataFrame
    correlations: pd.DataFrame
    regressions: pd.DataFrame
    families: pd.DataFrame
    prediction: pd.DataFrame
    importance: pd.DataFrame
    comparisons: pd.DataFrame
    rankings: pd.DataFrame
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
    failed: list[str] | None = None,
) -> Tables:
    """Compute all statistics of a table of accuracies.

    Args:
        table: Columns of `aggregate.collect.table.Row`, at least model, attack, norm, eps, eps_value, images,
            robust, robust_accuracy and clean_accuracy.
        scores: The alignment scores; None leaves all tables that need scores empty.
        networks: Families, networks under several names, and clean verdicts.
        robust: Packed bits of the robust images, see `mcnemar.compare_models`. None skips the pairwise tests.
        means: Result of `corruptions.average_corruptions`; its rows are already part of the table.
        failed: The list to which a sentence is added for each table that cannot be computed and is empty.
    """
    family, failures = networks.family, [] if failed is None else failed
    given: _Data = (table, scores, robust or {})
    nothing: _Data = (table.iloc[:0], None, {})

    def compute(name: str, method: Callable[[_Data], Result]) -> Result:
        return attempt(f"The table {name}", failures, lambda: method(given), lambda: method(nothing))

    predicted, importance = compute(
        "prediction", lambda data: prediction.compute_predictions(data[0], data[1], family)
    )
    curve, summary = compute(
        "specifications", lambda data: specification_curve(data[0], data[1], networks, data[2])
    )
    dimensions, loadings = compute("dimensions", lambda data: find_dimensions(data[0], data[1], networks, data[2]))
    return Tables(
        specifications=curve,
        specification_summary=summary,
        dimensions=dimensions,
        loadings=loadings,
        prediction=predicted,
        importance=importance,
        corruptions=pd.DataFrame(columns=corruptions.COLUMNS) if means is None else means,
        **{name: compute(name, method) for name, method in _list_methods(networks).items()},
    )


def _list_methods(networks: Networks) -> dict[str, Callable[[_Data], pd.DataFrame]]:
    """Return the method of each table that is computed by itself, by field name."""
    return {
        "adjusted": lambda data: adjusted_correlations(data[0], data[1], networks, data[2]),
        "shapes": lambda data: find_shapes(data[0], data[1], networks, data[2]),
        "added": lambda data: added_prediction.added_predictions(data[0], data[1], networks),
        "correlations": lambda data: compute_correlations(data[0], data[1], networks.family),
        "regressions": lambda data: regression.compute_regressions(data[0], data[1]),
        "families": lambda data: leave_family_out.leave_families_out(data[0], data[1], networks.family),
        "comparisons": lambda data: mcnemar.compare_models(data[0], data[2]),
        "rankings": lambda data: ranking.rank_models(data[0], data[2]),
        "sampling": lambda data: sampling.estimate_sampling(data[0], data[2]),
        "propagated": lambda data: sampling_error.compute_sampling_intervals(data[0], data[1]),
    }
