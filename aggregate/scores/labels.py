"""Labels of scores: the one text that findings, tables, figures, charts and LaTeX print for a score.

CSV files keep the name of the column in the scores file, and `average_vision_recomputed` for a recomputed one.
"""

from aggregate.scores import hierarchy
from aggregate.scores.hierarchy import AVERAGE

RECOMPUTED = "_recomputed"
"""Suffix of the name of an average or category that is recomputed from the scores each model has."""


def score_label(name: str) -> str:
    """Return the text that every output prints for a score or a category.

    Args:
        name: Name of a score column or category, such as `neural_vision`. An empty name gives an empty label.

    Returns:
        "neural" for `neural_vision`, "average (recomputed)" for `average_vision_recomputed`, and the name itself
        for a benchmark or a group of benchmarks.
    """
    column = name.removesuffix(RECOMPUTED)
    short = column.removesuffix("_vision") if column == AVERAGE or hierarchy.is_category(column) else column
    return f"{short} (recomputed)" if column != name else short
