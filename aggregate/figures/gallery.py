"""The gallery: which figures an analysis has."""

from collections.abc import Iterator

import pandas as pd

from aggregate.collect import corruptions
from aggregate.figures import (
    alignment,
    breakage,
    comparison,
    coverage,
    curves,
    heatmap,
    importance,
    partial,
    robustness,
    top_benchmarks,
    tsne,
)
from aggregate.figures.drawing import Drawing
from aggregate.scores.scores import Scores
from aggregate.statistics.tables import Tables

KINDS = (
    "robust-accuracy", "robustness-curves", "alignment", "benchmark-heatmap", "benchmark-extremes", "confound",
    "importance", "landscape", "comparison", "broken-by", "coverage",
)  # fmt: skip
"""Of every figure there can be: what an earlier analysis drew and this one does not is removed."""


def draw_all(table: pd.DataFrame, pairs: pd.DataFrame, statistics: Tables, scores: Scores | None) -> list[Drawing]:
    """The figures that the tables allow, in the report's order; none where no pair is ok."""
    return list(_drawings(table[table["robust_accuracy"].notna()], pairs, statistics, scores))


def _drawings(
    table: pd.DataFrame, pairs: pd.DataFrame, statistics: Tables, scores: Scores | None
) -> Iterator[Drawing]:
    if table.empty:
        return
    attacked = table[table["method"] != "clean"]
    # A study of clean accuracy alone still has something to show.
    shown = table if attacked.empty else attacked
    yield from robustness.drawings(shown)
    yield from curves.drawings(attacked[attacked["attack"] != corruptions.ATTACK])  # which has no curve
    if scores:
        yield from alignment.drawings(shown, scores)
        yield from heatmap.drawings(statistics.correlations)
        yield from top_benchmarks.drawings(statistics.correlations)
        yield from partial.drawings(statistics.correlations)
        yield from importance.drawings(statistics.importance)
        yield from tsne.drawings(attacked, scores)
    yield from comparison.drawings(statistics.comparisons)
    counted = attacked[attacked["robust"].notna()]
    if not counted.empty:
        yield from breakage.drawings(counted)
    yield from coverage.drawings(pairs)
