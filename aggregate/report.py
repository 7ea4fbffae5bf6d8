"""The report: one HTML file that holds everything, needs no network, and runs nothing it was not written with."""

import base64
import hashlib
from dataclasses import dataclass
from importlib import resources

import pandas as pd
from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from aggregate import matrix, summary, wording
from aggregate.figures.drawing import Drawing
from aggregate.scores import Matching, Scores
from aggregate.statistics.tables import Tables
from aggregate.tally import Tally
from alignsec.attack import Attack
from alignsec.outcome import LEGEND
from alignsec.pair import PairModel
from alignsec.run_folder import Plan


@dataclass(frozen=True)
class Evidence:
    """All that a report is made of."""

    plan: Plan
    tally: Tally
    table: pd.DataFrame
    statistics: Tables
    scores: Scores | None
    matching: Matching | None
    drawings: list[Drawing]


@dataclass(frozen=True)
class Picture:
    """A drawing as the page shows it: one SVG a panel, so that a narrow page can stack them."""

    drawing: Drawing
    svgs: tuple[Markup, ...]


def html(evidence: Evidence) -> bytes:
    """The report's file. Names are escaped wherever they stand; the page's own policy forbids every request."""
    plan, tally = evidence.plan, evidence.tally
    script = _template("report.js")
    attacks: dict[str, Attack] = {pair.attack.name: pair.attack for pair in plan}
    models: dict[str, PairModel] = {pair.model.name: pair.model for pair in plan}
    page = _environment().get_template("report.html").render(
        plan=plan,
        tally=tally,
        states=tally.states,
        attacks=attacks,
        models=models,
        completeness=summary.completeness(plan, tally),
        findings=summary.findings(evidence.table, evidence.statistics.correlations),
        cautions=summary.cautions(plan, tally, evidence.table),
        reasons=_reasons(tally),
        matrix=matrix.of(plan, tally.pairs, evidence.table),
        pictures=[_picture(drawing) for drawing in evidence.drawings],
        scores=evidence.scores,
        matching=evidence.matching,
        aggregates=_by_budget(evidence.statistics.correlations, benchmarks=False),
        benchmarks=_by_budget(evidence.statistics.correlations, benchmarks=True),
        legend=LEGEND,
        style=Markup(_template("report.css")),  # noqa: S704 # our own file
        script=Markup(script),  # noqa: S704 # our own file
        script_digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )  # fmt: skip
    return page.encode()


def _reasons(tally: Tally) -> list[tuple[str, int]]:
    """Why pairs are not ok, the most frequent reason first."""
    counts: dict[str, int] = {}
    for pair in tally.not_ok:
        counts[pair.reason] = counts.get(pair.reason, 0) + 1
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _picture(drawing: Drawing) -> Picture:
    svgs = (drawing.svg(panel, f"{drawing.name}-{at}-") for at, panel in enumerate(drawing.panels))
    return Picture(drawing, tuple(Markup(svg) for svg in svgs))  # noqa: S704 # an XML writer escaped it


def _by_budget(correlations: pd.DataFrame, *, benchmarks: bool) -> list[tuple[str, list[object]]]:
    """Rows of correlations, each attack and budget under its own heading."""
    few = correlations["level"].isin(["average", "category", "recomputed"])
    wanted = correlations[~few if benchmarks else few]
    parts = wanted.groupby(["attack", "eps"], sort=False)
    return [(f"{attack}, eps {eps}", list(part.itertuples())) for (attack, eps), part in parts]


def _template(name: str) -> str:
    # Not by path: the room may be running from a zip.
    return resources.files("aggregate").joinpath("templates", name).read_text(encoding="utf-8")


def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(_template),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        {
            "percent": wording.percent,
            "ends": lambda cell: wording.ends(cell.low, cell.high),
            "decimal": wording.decimal,
            "p_value": wording.p_value,
            "count": wording.count,
            "listed": lambda items: wording.listed([str(item) for item in items]),
            "duration": wording.duration,
            "median": lambda values: sorted(values)[len(values) // 2],
        }
    )
    return environment
