"""Drawings: panels laid out in a grid and turned into files, or one by one into SVG for a page."""

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from aggregate.figures import page_svg, style

_TALLEST = 60_000  # pixels; matplotlib's PNG writer stops at 65,536
_NO_DATES = {"CreationDate": None, "ModDate": None}
_TITLE = 0.17
"""Inches."""
_DOTS_PER_INCH = 300.0


@dataclass(frozen=True)
class Panel:
    """One pair of axes."""

    title: str
    draw: Callable[[Axes], None]
    summary: str
    """What a person who cannot see it is told."""
    height: float | None = None
    """In inches with its margins, where it is lower than the drawing's others; it then stands at their top."""


@dataclass(frozen=True)
class Margins:
    """Inches around the axes of a panel, for what stands beside them."""

    left: float
    right: float = 0.1
    bottom: float = 0.4
    top: float = 0.25


@dataclass(frozen=True)
class Drawing:
    """Panels that belong together: one file of each format."""

    kind: str
    """Which figure it is: the report shows those of one kind together."""
    name: str
    """Of its files: the kind, and the attack where there are several."""
    title: str
    description: str
    rows: tuple[tuple[Panel, ...], ...]
    width: float
    """Of one panel with its margins, in inches; height too."""
    height: float
    margins: Margins
    one_key: bool = False
    """All panels have the same key; in a file the first alone shows it."""

    @property
    def panels(self) -> tuple[Panel, ...]:
        """All panels, row by row."""
        return tuple(panel for row in self.rows for panel in row)

    def files(self) -> dict[str, bytes]:
        """The whole drawing as NAME.pdf and NAME.png. The same data gives the same bytes."""
        titled = len(self.panels) > 1
        with style.applied():
            across, down = max(len(row) for row in self.rows), len(self.rows)
            panel_height = self.height + (_TITLE if titled else 0)
            figure = Figure(figsize=(self.width * across, panel_height * down))
            for at, row in enumerate(self.rows):
                for column, panel in enumerate(row):
                    lower = self.height - (panel.height or self.height)
                    bottom = panel_height * (down - 1 - at) + lower
                    axes = self._axes(figure, self.width * column, bottom, self.height - lower)
                    panel.draw(axes)
                    legend = axes.get_legend()
                    if legend is not None and self.one_key and (at or column):
                        legend.remove()
                    if titled:
                        left, top = self.width * column + 0.04, panel_height * (down - at) - 0.04
                        figure.text(
                            left / figure.get_figwidth(), top / figure.get_figheight(), panel.title,
                            weight="bold", va="top", fontsize=style.TEXT_POINTS + 0.5,
                        )  # fmt: skip
            pdf, png = BytesIO(), BytesIO()
            figure.savefig(pdf, format="pdf", metadata=_NO_DATES)
            dots = min(_DOTS_PER_INCH, _TALLEST / (panel_height * down))
            figure.savefig(png, format="png", dpi=dots, pil_kwargs={"compress_level": 4})
        return {f"{self.name}.pdf": pdf.getvalue(), f"{self.name}.png": png.getvalue()}

    def svg(self, panel: Panel, prefix: str) -> str:
        """One panel as an SVG element to stand in a page, its ids made unique by the prefix."""
        with style.applied():
            height = panel.height or self.height
            figure = Figure(figsize=(self.width, height))
            panel.draw(self._axes(figure, 0, 0, height))
            data = BytesIO()
            figure.savefig(data, format="svg", metadata={"Date": None}, transparent=True)
        return page_svg.fitted(data.getvalue(), prefix, panel.summary)

    def _axes(self, figure: Figure, left: float, bottom: float, height: float) -> Axes:
        """Axes at a place given in inches. Measured beforehand: matplotlib's own layout draws all text twice."""
        across, down = figure.get_size_inches()
        margins = self.margins
        return figure.add_axes((
            (left + margins.left) / across,
            (bottom + margins.bottom) / down,
            (self.width - margins.left - margins.right) / across,
            (height - margins.bottom - margins.top) / down,
        ))  # fmt: skip
