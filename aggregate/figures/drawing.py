"""Kinds of figures, and drawings: panels in a grid, written as PDF and PNG files or as SVG for a page."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from aggregate.collect.examples import ShownExample
from aggregate.figures import page_svg, style
from aggregate.scores.scores import Scores
from aggregate.statistics.tables import Tables

_MAX_PIXELS = 60_000  # matplotlib's PNG writer fails above 65,536 pixels
_NO_DATES = {"CreationDate": None, "ModDate": None}
_TITLE_INCHES = 0.17
_DOTS_PER_INCH = 300.0
_LONG_INCHES = 8.0


@dataclass(frozen=True)
class FigureInputs:
    """The tables of an analysis, from which every figure is drawn."""

    table: pd.DataFrame
    """Rows of table.csv that have a robust accuracy."""
    pairs: pd.DataFrame
    """One row per pair; columns model, attack and state."""
    statistics: Tables
    scores: Scores | None
    """Alignment scores, if the study has any."""
    examples: Sequence[ShownExample] = ()
    """Adversarial examples to show."""

    @property
    def attacked(self) -> pd.DataFrame:
        """Rows of every attack except the clean one."""
        return self.table[self.table["method"] != "clean"]

    @property
    def attacked_or_clean(self) -> pd.DataFrame:
        """Rows of every attack except the clean one; all rows if the study measures only clean accuracy."""
        return self.table if self.attacked.empty else self.attacked


@dataclass(frozen=True)
class FigureKind:
    """A kind of figure: its name, its text, and the function that draws it."""

    name: str
    """Start of the name of every file, such as "alignment" in alignment--autoattack-linf.pdf."""
    title: str
    """Heading in the report."""
    description: str
    """Caption: what the axes and marks mean, and how the data were selected."""
    make_drawings: Callable[[FigureInputs], Iterable["Drawing"]]
    """Returns one drawing per attack, or none where the data do not allow the figure."""


@dataclass(frozen=True)
class Panel:
    """One pair of axes."""

    title: str
    draw: Callable[[Axes], None]
    summary: str
    """Text alternative for readers who cannot see the panel."""
    height: float | None = None
    """Height in inches with margins, if lower than the other panels of the drawing; aligned at the top."""


@dataclass(frozen=True)
class Margins:
    """Space around the axes of a panel, in inches, for labels and legend."""

    left: float
    right: float = 0.1
    bottom: float = 0.4
    top: float = 0.25


@dataclass(frozen=True)
class Drawing:
    """Panels of one figure, written together as one PDF file and one PNG file."""

    kind: FigureKind
    name: str
    """File name without extension: the kind's name, and the attack if there are several."""
    rows: tuple[tuple[Panel, ...], ...]
    width: float
    """Width of one panel with its margins, in inches."""
    height: float
    """Height of one panel with its margins, in inches."""
    margins: Margins
    shared_legend: bool = False
    """Whether all panels have the same legend; in the files only the first panel then shows it."""
    note: str = ""
    """Sentences about the data of this drawing, added to the description of its kind."""
    attack: str = ""
    """The attack of a drawing that belongs to the answer under this attack."""

    @property
    def panels(self) -> tuple[Panel, ...]:
        """All panels, row by row."""
        return tuple(panel for row in self.rows for panel in row)

    @property
    def description(self) -> str:
        """Caption: the description of the kind and the note of this drawing."""
        return f"{self.kind.description} {self.note}".rstrip()

    @property
    def is_long(self) -> bool:
        """Whether a panel fills about a page; the report then shows the drawing on request."""
        return self.height > _LONG_INCHES

    def files(self) -> dict[str, bytes]:
        """Draw all panels into one PDF and one PNG file.

        Returns:
            The contents of NAME.pdf and NAME.png by file name. The same data gives the same bytes.
        """
        titled = len(self.panels) > 1
        with style.apply_style():
            across, down = max(len(row) for row in self.rows), len(self.rows)
            panel_height = self.height + (_TITLE_INCHES if titled else 0)
            figure = Figure(figsize=(self.width * across, panel_height * down))
            for at, row in enumerate(self.rows):
                for column, panel in enumerate(row):
                    lower = self.height - (panel.height or self.height)
                    bottom = panel_height * (down - 1 - at) + lower
                    axes = self._add_axes(figure, self.width * column, bottom, self.height - lower)
                    panel.draw(axes)
                    legend = axes.get_legend()
                    if legend is not None and self.shared_legend and (at or column):
                        legend.remove()
                    if titled:
                        left, top = self.width * column + 0.04, panel_height * (down - at) - 0.04
                        figure.text(
                            left / figure.get_figwidth(), top / figure.get_figheight(), panel.title,
                            weight="bold", va="top", fontsize=style.TEXT_POINTS + 0.5,
                        )  # fmt: skip
            pdf, png = BytesIO(), BytesIO()
            figure.savefig(pdf, format="pdf", metadata=_NO_DATES)
            dots = min(_DOTS_PER_INCH, _MAX_PIXELS / (panel_height * down))
            figure.savefig(png, format="png", dpi=dots, pil_kwargs={"compress_level": 4})
        return {f"{self.name}.pdf": pdf.getvalue(), f"{self.name}.png": png.getvalue()}

    def svg(self, panel: Panel, prefix: str) -> str:
        """Draw one panel as an SVG element for an HTML page.

        Args:
            panel: A panel of this drawing.
            prefix: Text put before every id of the element, so that ids are unique in the page.

        Returns:
            The element as text.
        """
        with style.apply_style():
            height = panel.height or self.height
            figure = Figure(figsize=(self.width, height))
            panel.draw(self._add_axes(figure, 0, 0, height))
            data = BytesIO()
            figure.savefig(data, format="svg", metadata={"Date": None}, transparent=True)
        return page_svg.adapt_svg(data.getvalue(), prefix, panel.summary)

    def _add_axes(self, figure: Figure, left: float, bottom: float, height: float) -> Axes:
        """Add axes at a position in inches. matplotlib's own layout engines would draw all text twice."""
        across, down = figure.get_size_inches()
        margins = self.margins
        return figure.add_axes((
            (left + margins.left) / across,
            (bottom + margins.bottom) / down,
            (self.width - margins.left - margins.right) / across,
            (height - margins.bottom - margins.top) / down,
        ))  # fmt: skip
