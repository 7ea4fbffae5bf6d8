"""The report of published accuracies: one HTML file like the report of a run, without provenance of jobs."""

from collections.abc import Sequence
from dataclasses import dataclass

from aggregate.figures.drawing import Drawing
from aggregate.formatting import format_budget
from aggregate.published.accuracies import Accuracies
from aggregate.report import answer, findings, page, table_rows
from aggregate.scores.scores import Matching, Scores
from aggregate.statistics.tables import Tables
from alignsec.run.plan import PlannedScores


@dataclass(frozen=True)
class PublishedInputs:
    """Published accuracies and their statistics, from which the report is rendered."""

    source: str
    """Name of the file of accuracies."""
    accuracies: Accuracies
    statistics: Tables
    scores: Scores
    snapshot: PlannedScores
    matching: Matching
    drawings: list[Drawing]
    failed: Sequence[str] = ()
    """Sentences about parts of the analysis that could not be computed."""


def render_published(inputs: PublishedInputs) -> bytes:
    """Render the report of published accuracies.

    Args:
        inputs: The accuracies and their statistics.

    Returns:
        The HTML file.
    """
    table = inputs.accuracies.table
    budgets = list(dict.fromkeys(zip(table["attack"], table["eps"], table["method"], strict=True)))
    share = {(row.model, row.attack, row.eps): row.robust_accuracy for row in table.itertuples()}
    clean = table.drop_duplicates("model").set_index("model")["clean_accuracy"]
    values = {
        "source": inputs.source,
        "accuracies": inputs.accuracies,
        "models": list(clean.index),
        "budgets": [f"{attack}, {format_budget(eps, method)}" for attack, eps, method in budgets],
        "rows": [
            (model, clean[model], [share.get((model, attack, eps)) for attack, eps, _ in budgets])
            for model in clean.index
        ],
        "answers": answer.answer_question(table, inputs.statistics),
        "findings": findings.summarize_attacks(table, inputs.statistics),
        "cautions": [
            ("Parts of the analysis that failed", list(inputs.failed)),
            ("Check before comparing models", list(inputs.accuracies.remarks)),
        ],
        **page.render_drawings(inputs.drawings),
        "scores": inputs.scores,
        "snapshot": inputs.snapshot,
        "matching": inputs.matching,
        **table_rows.make_statistics_values(inputs.statistics, table),
    }
    return page.render_page("published.html", values, ["report.js"])
