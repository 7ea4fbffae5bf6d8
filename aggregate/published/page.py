"""The page: a report of published numbers, in one file like a run's, without the runs that they do not have."""

from dataclasses import dataclass

from markupsafe import Markup

from aggregate.figures.drawing import Drawing
from aggregate.formatting import format_budget
from aggregate.published.accuracies import Accuracies
from aggregate.report import findings, report, table_rows
from aggregate.scores.scores import Matching, Scores
from aggregate.statistics.tables import Tables
from alignsec.run.plan import PlannedScores


@dataclass(frozen=True)
class PageInputs:
    """All that the page is made of."""

    source: str
    """The file of accuracies, by name."""
    accuracies: Accuracies
    statistics: Tables
    scores: Scores
    snapshot: PlannedScores
    matching: Matching
    drawings: list[Drawing]


def render_page(evidence: PageInputs) -> bytes:
    """The page's file. Names are escaped wherever they stand; the page's own policy forbids every request."""
    table, statistics = evidence.accuracies.table, evidence.statistics
    links = statistics.correlations
    script = report.template("report.js")
    budgets = list(dict.fromkeys(zip(table["attack"], table["eps"], table["method"], strict=True)))
    share = {(row.model, row.attack, row.eps): row.robust_accuracy for row in table.itertuples()}
    clean = table.drop_duplicates("model").set_index("model")["clean_accuracy"]
    page = report.environment().get_template("numbers.html").render(
        source=evidence.source,
        accuracies=evidence.accuracies,
        models=list(clean.index),
        budgets=[f"{attack}, {format_budget(eps, method)}" for attack, eps, method in budgets],
        rows=[
            (model, clean[model], [share.get((model, attack, eps)) for attack, eps, _ in budgets])
            for model in clean.index
        ],
        findings=findings.findings(table, statistics),
        cautions=evidence.accuracies.remarks,
        pictures=[report.picture(drawing) for drawing in evidence.drawings],
        scores=evidence.scores,
        snapshot=evidence.snapshot,
        matching=evidence.matching,
        aggregates=table_rows.by_budget(links[links["level"] != "benchmark"]),
        benchmarks=table_rows.by_budget(links[links["level"] == "benchmark"]),
        regressions=table_rows.by_budget(statistics.regressions),
        families=list(table_rows.families(statistics.families, links)),
        prediction=table_rows.by_budget(statistics.prediction),
        importance=table_rows.importance(statistics.importance),
        comparisons=[],
        sampling=table_rows.by_budget(statistics.sampling),
        propagated=table_rows.by_budget(statistics.propagated),
        style=Markup(report.template("report.css")),  # noqa: S704 # our own file
        script=Markup(script),  # noqa: S704 # our own file
        script_digests=[report.script_digest(script)],
    )  # fmt: skip
    return page.encode()
