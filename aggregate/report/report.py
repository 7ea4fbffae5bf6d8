"""The report of a run: one HTML file with all results, which needs no network."""

import base64
import gzip
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version

import pandas as pd
import plotly.offline

from aggregate.collect.tally import Tally
from aggregate.exports import citation
from aggregate.figures.drawing import Drawing
from aggregate.report import answer, findings, matrix, page, page_data, table_rows
from aggregate.report.pictures import Pictures
from aggregate.scores.scores import Matching, Scores
from aggregate.statistics.tables import Tables
from alignsec.run.plan import Plan
from alignsec.run.verification import Verification
from alignsec.spec.attack import Attack
from alignsec.spec.deviations import describe_deviations
from alignsec.spec.pair import PairModel
from alignsec.spec.verdicts import legend

_LIBRARIES = ("numpy", "pandas", "scipy", "statsmodels", "scikit-learn", "matplotlib", "plotly")
_SCRIPTS = ("report.js", "model.js", "scatter.js")


@dataclass(frozen=True)
class ReportInputs:
    """The results of a run, from which its report is rendered."""

    plan: Plan
    tally: Tally
    table: pd.DataFrame
    """Rows of table.csv."""
    statistics: Tables
    scores: Scores | None
    """Alignment scores, or None if the study has none."""
    matching: Matching | None
    """Models of the study and rows of the scores file that match by name; None without scores."""
    drawings: list[Drawing]
    """All figures in the order of the report."""
    failed: Sequence[str] = ()
    """Sentences about parts of the analysis that could not be read or computed."""
    pictures: Pictures = field(default_factory=Pictures)
    """Pictures of adversarial examples for the pages of the models."""
    verification: Verification | None = None
    """Result of the last `make verify`, if there is one."""


def render_report(inputs: ReportInputs) -> bytes:
    """Return the HTML file of the report of a run.

    Args:
        inputs: The results of the run.
    """
    plan, tally = inputs.plan, inputs.tally
    chart_library = plotly.offline.get_plotlyjs()
    models: dict[str, PairModel] = {pair.model.name: pair.model for pair in plan}
    rows = matrix.build_matrix(plan, tally.pairs, inputs.table, inputs.statistics.corruptions)
    order = [row.model for row in rows.rows]
    data = page_data.build_page_data(
        models, order, tally, inputs.table, inputs.statistics.correlations, inputs.scores
    )
    inputs.pictures.add_to_pages(order, data["pages"])
    values = {
        "plan": plan,
        "tally": tally,
        "states": tally.states,
        **_describe_attacks(plan),
        "models": models,
        "bibtex": citation.format_bibtex(plan),
        "completeness": findings.describe_completeness(plan, tally),
        "answers": answer.answer_question(inputs.table, inputs.statistics),
        "findings": findings.summarize_attacks(inputs.table, inputs.statistics),
        "cautions": [
            ("Parts of the analysis that failed", list(inputs.failed)),
            ("Check before comparing models", findings.list_cautions(plan, tally, inputs.table)),
        ],
        "reasons": _count_reasons(tally),
        "verification": describe_verification(inputs.verification, inputs.table),
        "matrix": rows,
        "means": inputs.statistics.corruptions,
        "data": data,
        # Compressed, because the library is two thirds of the page.
        "plotly": base64.b64encode(gzip.compress(chart_library.encode(), mtime=0)).decode(),
        **page.render_drawings(inputs.drawings),
        "scores": inputs.scores,
        "snapshot": plan.scores if inputs.scores else None,
        "matching": inputs.matching,
        **table_rows.make_statistics_values(inputs.statistics, inputs.table),
        "legend": legend(),
        "analysis_versions": [(name, version(name)) for name in _LIBRARIES],
        "plotly_sha256": hashlib.sha256(chart_library.encode()).hexdigest(),
    }
    return page.render_page("report.html", values, _SCRIPTS, [chart_library])


def _describe_attacks(plan: Plan) -> dict[str, object]:
    """Return the values of the section on attacks, each by the attack's name."""
    attacks: dict[str, Attack] = {pair.attack.series: pair.attack for pair in plan}
    return {
        "attacks": attacks,
        "deviations": {name: describe_deviations(attack) for name, attack in attacks.items()},
        "attack_code": {pair.attack.series: pair.attack_code.sha256 for pair in plan if pair.attack_code},
    }


def describe_verification(verification: Verification | None, table: pd.DataFrame) -> str:
    """Return a sentence on the last verification; empty if there is none.

    Args:
        verification: Its result.
        table: Rows of table.csv.
    """
    if verification is None:
        return ""
    counted = table[table["pair"] != ""]
    outcomes = dict(zip(counted["pair"], counted["outcome_sha256"], strict=True))
    if any(verification.outcomes.get(pair) != sha256 for pair, sha256 in outcomes.items()):
        return f"The verification of {verification.finished} is of other outcomes; run make verify again."
    return (
        f"{verification.finished}, {verification.device}, without the attack engine: "
        f"{verification.examples} adversarial examples and {verification.clean_verdicts} clean verdicts "
        f"confirmed, {len(verification.refuted)} claims refuted, {len(verification.unconfirmed)} not confirmed."
    )


def _count_reasons(tally: Tally) -> list[tuple[str, int]]:
    """Count the reasons why pairs are not ok, the most frequent reason first."""
    counts: dict[str, int] = {}
    for pair in tally.not_ok:
        counts[pair.reason] = counts.get(pair.reason, 0) + 1
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))
