"""The report: one HTML file that holds everything, needs no network, and runs nothing it was not written with."""

import base64
import gzip
import hashlib
from dataclasses import dataclass
from importlib import resources
from importlib.metadata import version
from itertools import groupby
from urllib.parse import quote

import pandas as pd
import plotly.offline
from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from aggregate import formatting
from aggregate.collect.tally import Tally
from aggregate.figures import page_svg, style
from aggregate.figures.drawing import Drawing
from aggregate.report import findings, matrix, page_data, table_rows
from aggregate.scores.labels import score_label
from aggregate.scores.scores import Matching, Scores
from aggregate.statistics import mcnemar
from aggregate.statistics.tables import Tables
from alignsec.run.plan import Plan
from alignsec.spec.attack import Attack
from alignsec.spec.pair import PairModel
from alignsec.spec.verdicts import legend

_MADE_WITH = ("numpy", "pandas", "scipy", "statsmodels", "scikit-learn", "matplotlib", "plotly")


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
    script = "".join(template(f"{name}.js") for name in ("report", "model", "scatter"))
    chart = plotly.offline.get_plotlyjs()
    attacks: dict[str, Attack] = {pair.attack.series: pair.attack for pair in plan}
    models: dict[str, PairModel] = {pair.model.name: pair.model for pair in plan}
    statistics, links = evidence.statistics, evidence.statistics.correlations
    laid = matrix.build_matrix(plan, tally.pairs, evidence.table, statistics.corruptions)
    page = environment().get_template("report.html").render(
        plan=plan,
        tally=tally,
        states=tally.states,
        attacks=attacks,
        models=models,
        completeness=findings.completeness(plan, tally),
        findings=findings.findings(evidence.table, statistics),
        cautions=findings.cautions(plan, tally, evidence.table),
        reasons=_reasons(tally),
        matrix=laid,
        means=statistics.corruptions,
        data=page_data.build_page_data(
            models, [row.model for row in laid.rows], tally, evidence.table, links, evidence.scores
        ),
        # Packed: it is two thirds of the page, and the page must travel.
        plotly=base64.b64encode(gzip.compress(chart.encode(), mtime=0)).decode(),
        pictures=[picture(drawing) for drawing in evidence.drawings],
        scores=evidence.scores,
        snapshot=plan.scores,
        matching=evidence.matching,
        aggregates=table_rows.by_budget(links[links["level"] != "benchmark"]),
        benchmarks=table_rows.by_budget(links[links["level"] == "benchmark"]),
        regressions=table_rows.by_budget(statistics.regressions),
        families=list(table_rows.families(statistics.families, links)),
        prediction=table_rows.by_budget(statistics.prediction),
        importance=table_rows.importance(statistics.importance),
        comparisons=list(table_rows.comparisons(statistics.comparisons, evidence.table)),
        most_compared=mcnemar.MAX_MODELS,
        sampling=table_rows.by_budget(statistics.sampling),
        propagated=table_rows.by_budget(statistics.propagated),
        legend=legend(),
        style=Markup(template("report.css") + _verdict_colours()),  # noqa: S704 # our own file
        script=Markup(script),  # noqa: S704 # our own file
        analysis_versions=[(name, version(name)) for name in _MADE_WITH],
        plotly_sha256=hashlib.sha256(chart.encode()).hexdigest(),
        script_digests=[script_digest(script), script_digest(chart)],
    )  # fmt: skip
    return page.encode()


def _verdict_colours() -> str:
    """Return CSS variables with the colour of each verdict, such as `--part-broken-by-apgd-ce`."""
    variables = (
        f"--part-{verdict.replace(' ', '-')}: {page_svg.themed(colour)};"
        for verdict, colour in style.verdict_colours().items()
    )
    return f"body {{ {' '.join(variables)} }}\n"


def script_digest(script: str) -> str:
    """As a content security policy names a script."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _reasons(tally: Tally) -> list[tuple[str, int]]:
    """Why pairs are not ok, the most frequent reason first."""
    counts: dict[str, int] = {}
    for pair in tally.not_ok:
        counts[pair.reason] = counts.get(pair.reason, 0) + 1
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def picture(drawing: Drawing) -> Picture:
    """A drawing as SVG."""
    svgs = (drawing.svg(panel, f"{drawing.name}-{at}-") for at, panel in enumerate(drawing.panels))
    return Picture(drawing, tuple(Markup(svg) for svg in svgs))  # noqa: S704 # an XML writer escaped it


def _by_kind(pictures: list[Picture]) -> list[tuple[str, list[Picture]]]:
    return [(kind, list(drawn)) for kind, drawn in groupby(pictures, lambda picture: picture.drawing.kind)]


def template(name: str) -> str:
    """The text of a file of templates/."""
    # Not by path: the room may be running from a zip.
    return resources.files("aggregate.report").joinpath("templates", name).read_text(encoding="utf-8")


def environment() -> Environment:
    """What templates are rendered in: they escape every name."""
    environment = Environment(
        loader=FunctionLoader(template),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        {
            "percent": formatting.percent,
            "budget": formatting.format_budget,
            "ends": lambda cell: formatting.ends(cell.low, cell.high),
            "decimal": formatting.decimal,
            "p_value": formatting.p_value,
            "count": formatting.count,
            "groupby_kind": _by_kind,
            "score_label": score_label,
            # As encodeURIComponent does it, so that a link and the script agree.
            "fragment": lambda name: quote(name, safe="!'()*-._~"),
            "listed": lambda items: formatting.listed([str(item) for item in items]),
            "duration": formatting.duration,
            "median": lambda values: sorted(values)[len(values) // 2],
        }
    )
    return environment
