"""The gallery: which figures an analysis has."""

from collections.abc import Iterator

import pandas as pd

from aggregate import corruptions
from aggregate.figures import (
    alignment,
    breakage,
    comparison,
    confound,
    coverage,
    curves,
    extremes,
    heatmap,
    importance,
    landscape,
    robustness,
)
from aggregate.figures.drawing import Drawing
from aggregate.scores import Scores
from aggregate.statistics.tables import Tables

KINDS = (
    "robust-accuracy", "robustness-curves", "alignment", "benchmark-heatmap", "benchmark-extremes", "confound",
    "importance", "landscape", "comparison", "broken-by", "coverage",
)  # fmt: skip
"""Of every figure there can be: what an earlier analysis drew and this one does not is removed."""


def of(table: pd.DataFrame, pairs: pd.DataFrame, statistics: Tables, scores: Scores | None) -> list[Drawing]:
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
    yield from robustness.of(shown)
    yield from curves.of(attacked[attacked["attack"] != corruptions.ATTACK])  # which has no curve
    if scores:
        yield from alignment.of(shown, scores)
        yield from heatmap.of(statistics.correlations)
        yield from extremes.of(statistics.correlations)
        yield from confound.of(statistics.correlations)
        yield from importance.of(statistics.importance)
        yield from landscape.of(attacked, scores)
    yield from comparison.of(statistics.comparisons)
    counted = attacked[attacked["broken_by_apgd_ce"].notna()]
    if not counted.empty:
        yield from breakage.of(counted)
    yield from coverage.of(pairs)
