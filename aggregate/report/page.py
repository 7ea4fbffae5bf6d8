"""HTML pages in one file: templates, style sheet and scripts are part of it, and it requests nothing."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from functools import partial
from importlib import resources
from itertools import groupby
from urllib.parse import quote

import pandas as pd
from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from aggregate import formatting
from aggregate.figures import page_svg, style
from aggregate.figures.drawing import Drawing, FigureKind
from aggregate.partial_results import attempt
from aggregate.scores.labels import score_label

_NO_PANEL = Markup("<p>This panel could not be drawn for the page.</p>")


def render_page(
    template: str, values: Mapping[str, object], scripts: Sequence[str] = (), generated_scripts: Sequence[str] = ()
) -> bytes:
    """Render a page that extends page.html.

    Args:
        template: Name of a file in templates/.
        values: Values for the template. All text is escaped; the page's policy forbids every request.
        scripts: Names of files in templates/ that are joined into the script of the page.
        generated_scripts: Scripts that the script of the page adds at run time. The page's policy allows these
            and no others.

    Returns:
        The HTML file.
    """
    script = "".join(_read_template(name) for name in scripts)
    allowed = [_script_digest(text) for text in (script, *generated_scripts) if text]
    text = _make_environment().get_template(template).render(
        **values,
        style=Markup(_read_template("report.css") + _verdict_colours()),  # noqa: S704 # a file of this package
        script=Markup(script),  # noqa: S704 # files of this package
        script_digests=allowed,
    )  # fmt: skip
    return text.encode()


def render_drawings(drawings: Sequence[Drawing]) -> dict[str, object]:
    """Render all drawings as values for a template.

    Returns:
        `pictures`: the drawings that belong to the answer under an attack, each with its SVG elements.
        `figures`: all others, see `render_figures`.
    """
    answers = render_figures([drawing for drawing in drawings if drawing.attack])
    return {
        "pictures": [pair for _, drawn in answers for pair in drawn],
        "figures": render_figures([drawing for drawing in drawings if not drawing.attack]),
    }


def render_figures(drawings: Sequence[Drawing]) -> list[tuple[FigureKind, list[tuple[Drawing, list[Markup]]]]]:
    """Render every panel as SVG, so that a narrow page can stack the panels.

    Args:
        drawings: All drawings in the order of the report.

    Returns:
        The kinds of figures; for each kind its drawings, and for each drawing the SVG elements of its panels.
    """
    return [
        (kind, [(drawing, _render_panels(drawing)) for drawing in of_kind])
        for kind, of_kind in groupby(drawings, lambda drawing: drawing.kind)
    ]


def _render_panels(drawing: Drawing) -> list[Markup]:
    return [
        attempt("This panel", [], partial(_render_panel, drawing, at), lambda: _NO_PANEL)
        for at in range(len(drawing.panels))
    ]


def _render_panel(drawing: Drawing, at: int) -> Markup:
    return Markup(drawing.svg(drawing.panels[at], f"{drawing.name}-{at}-"))  # noqa: S704 # an XML writer escaped it


def _verdict_colours() -> str:
    """Return CSS variables with the colour of each verdict, such as `--verdict-broken-by-apgd-ce`."""
    variables = (
        f"--verdict-{verdict.replace(' ', '-')}: {page_svg.make_variable(colour)};"
        for verdict, colour in style.verdict_colours().items()
    )
    return f"body {{ {' '.join(variables)} }}\n"


def _script_digest(script: str) -> str:
    """Return the digest by which a content security policy allows a script."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _read_template(name: str) -> str:
    # By importlib.resources and not by path, because the package may be in a zip file.
    return resources.files("aggregate.report").joinpath("templates", name).read_text(encoding="utf-8")


def _make_environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(_read_template),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.tests["missing"] = pd.isna
    environment.filters.update(
        {
            "percent": formatting.format_percent,
            "budget": formatting.format_budget,
            "ends": lambda cell: formatting.format_interval(cell.low, cell.high),
            "decimal": formatting.format_decimal,
            "p_value": formatting.format_p,
            "count": formatting.format_count,
            "counted": formatting.format_quantity,
            "score_label": score_label,
            # The same characters as encodeURIComponent, so that links and the script agree.
            "fragment": lambda name: quote(name, safe="!'()*-._~"),
            "listed": lambda items: formatting.join_list([str(item) for item in items]),
            "duration": formatting.format_duration,
            "median": lambda values: sorted(values)[len(values) // 2],
        }
    )
    return environment
