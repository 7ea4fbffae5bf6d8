"""Drawings: panels laid out in a grid and turned into files, or one by one into SVG for a page."""

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties

from aggregate import style

SVG = "http://www.w3.org/2000/svg"
_XLINK = "{http://www.w3.org/1999/xlink}href"
_TALLEST = 60_000  # pixels; matplotlib's PNG writer stops at 65,536
_NO_DATES = {"CreationDate": None, "ModDate": None}


@dataclass(frozen=True)
class Panel:
    """One pair of axes."""

    title: str
    draw: Callable[[Axes], None]
    summary: str
    """What a person who cannot see it is told."""


@dataclass(frozen=True)
class Drawing:
    """Panels that belong together: one file of each format, one section of the report."""

    name: str
    """Of its files."""
    title: str
    description: str
    rows: tuple[tuple[Panel, ...], ...]
    width: float
    """Of one panel, in inches; height too."""
    height: float

    @property
    def panels(self) -> tuple[Panel, ...]:
        """All panels, row by row."""
        return tuple(panel for row in self.rows for panel in row)

    def files(self) -> dict[str, bytes]:
        """The whole drawing as NAME.pdf and NAME.png. The same data gives the same bytes."""
        with style.applied():
            columns = max(len(row) for row in self.rows)
            height = self.height * len(self.rows)
            figure = Figure(figsize=(self.width * columns, height), layout="constrained")
            grid = figure.subplots(len(self.rows), columns, squeeze=False)
            for axes_row, row in zip(grid, self.rows, strict=True):
                for at, axes in enumerate(axes_row):
                    if at < len(row):
                        _draw(axes, row[at], titled=len(self.panels) > 1)
                    else:
                        axes.set_axis_off()
            _lay_out(figure)
            pdf, png = BytesIO(), BytesIO()
            figure.savefig(pdf, format="pdf", metadata=_NO_DATES)
            figure.savefig(png, format="png", dpi=min(200.0, _TALLEST / height))
        return {f"{self.name}.pdf": pdf.getvalue(), f"{self.name}.png": png.getvalue()}

    def svg(self, panel: Panel, prefix: str) -> str:
        """One panel as an SVG element to stand in a page, its ids made unique by the prefix."""
        with style.applied():
            figure = Figure(figsize=(self.width, self.height), layout="constrained")
            _draw(figure.subplots(), panel, titled=False)
            _lay_out(figure)
            data = BytesIO()
            figure.savefig(data, format="svg", metadata={"Date": None}, transparent=True)
        return _for_page(data.getvalue(), prefix, panel.summary)


def _draw(axes: Axes, panel: Panel, *, titled: bool) -> None:
    """Draw a panel; its title heads the legend, which stands above the axes."""
    panel.draw(axes)
    legend = axes.get_legend()
    if titled and legend is not None:
        legend.set_title(panel.title, prop=FontProperties(size=9, weight="bold"))
        legend.set(alignment="left")


def _lay_out(figure: Figure) -> None:
    """Place everything once; else each format would do so again, which takes as long as drawing."""
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
    figure.set_layout_engine("none")


def _for_page(svg: bytes, prefix: str, summary: str) -> str:
    """Fit a file's SVG for a page: no size, fonts or colours of its own, no id twice, and a text alternative."""
    ET.register_namespace("", SVG)
    ET.register_namespace("xlink", _XLINK[1:].partition("}")[0])
    root = ET.fromstring(svg)  # noqa: S314 # matplotlib wrote it a moment ago
    for parent in list(root.iter()):
        for child in list(parent):
            # The file's style sheet would hold for the whole page; its metadata says what the report says.
            if child.tag in (f"{{{SVG}}}metadata", f"{{{SVG}}}style"):
                parent.remove(child)
    for element in root.iter():
        element.attrib.update({key: _fitted(key, value, prefix) for key, value in element.attrib.items()})
    for size in ("width", "height", "version"):
        root.attrib.pop(size, None)
    root.attrib.update({"role": "img", "aria-label": summary})
    return ET.tostring(root, encoding="unicode")


def _fitted(key: str, value: str, prefix: str) -> str:
    if key == "id":
        return prefix + value
    if key == _XLINK and value.startswith("#"):
        return f"#{prefix}{value[1:]}"
    if key == "clip-path":
        return value.replace("url(#", f"url(#{prefix}")
    if key == "style":
        value = re.sub(r"#[0-9a-f]{6}", lambda found: _themed(found[0]), value)
        # "font" sets size and family at once; the page's own family takes over.
        value = re.sub(r"font: (?:(\d+) )?([\d.]+px) [^;]+", _font, value)
        return re.sub(r"font-family: [^;]+;? ?", "", value)
    return value


def _themed(colour: str) -> str:
    """The page's name for a colour of the style, with the style's own as what it falls back to."""
    role = style.ROLES.get(colour)
    return f"var({role}, {colour})" if role else colour


def _font(found: re.Match[str]) -> str:
    weight = f"font-weight: {found[1]}; " if found[1] else ""
    return f"{weight}font-size: {found[2]}"
