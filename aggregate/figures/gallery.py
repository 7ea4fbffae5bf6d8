"""The gallery: the kinds of figures of an analysis, in the order of the report.

To add a figure, write a module with a `KIND` and add it to `KINDS`.
"""

import functools
from collections.abc import Sequence

import pandas as pd

from aggregate.collect.examples import ShownExample
from aggregate.figures import (
    alignment,
    answer,
    breakage,
    comparison,
    coverage,
    curves,
    dimensions,
    heatmap,
    importance,
    partial,
    ranking,
    robustness,
    specifications,
    top_benchmarks,
    tsne,
)
from aggregate.figures import examples as examples_figure
from aggregate.figures.drawing import Drawing, FigureInputs, FigureKind
from aggregate.partial_results import attempt
from aggregate.scores.scores import Scores
from aggregate.statistics.tables import Tables

KINDS: tuple[FigureKind, ...] = (
    answer.KIND,
    robustness.KIND,
    ranking.KIND,
    curves.KIND,
    alignment.KIND,
    specifications.KIND,
    dimensions.KIND,
    heatmap.KIND,
    top_benchmarks.KIND,
    partial.KIND,
    importance.KIND,
    tsne.KIND,
    comparison.KIND,
    breakage.KIND,
    examples_figure.KIND,
    coverage.KIND,
)


def draw_all(
    table: pd.DataFrame,
    pairs: pd.DataFrame,
    statistics: Tables,
    scores: Scores | None,
    failed: list[str] | None = None,
    examples: Sequence[ShownExample] = (),
) -> list[Drawing]:
    """Make the drawings of every kind that the data allow.

    Args:
        table: Rows of table.csv.
        pairs: One row per pair; columns model, attack and state.
        statistics: All tables of statistics.
        scores: Alignment scores, or None if the study has none.
        failed: The list to which a sentence is added for each kind of figure that cannot be drawn.
        examples: Adversarial examples to show.

    Returns:
        Drawings in the order of the report; an empty list if no row has a robust accuracy.
    """
    inputs = FigureInputs(table[table["robust_accuracy"].notna()], pairs, statistics, scores, examples)
    if inputs.table.empty:
        return []
    failures = [] if failed is None else failed
    drawings: list[Drawing] = []
    for kind in KINDS:
        make = functools.partial(_make_drawings, kind, inputs)
        drawings += attempt(f"The figure “{kind.title}”", failures, make, list)
    return drawings


def _make_drawings(kind: FigureKind, inputs: FigureInputs) -> list[Drawing]:
    return list(kind.make_drawings(inputs))
