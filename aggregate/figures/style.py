"""The style of all figures: colours, markers, fonts, axes, and labels."""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import Colormap, LinearSegmentedColormap, Normalize
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path
from matplotlib.transforms import ScaledTranslation

from aggregate.figures.shortening import LONGEST_LABEL, shorten_all
from aggregate.statistics.arrays import Floats
from alignsec.spec.components import COMPONENTS, CORRUPTION, CUSTOM, Breaker

Colours = str | npt.NDArray[np.float64]

INK = "#1c1d21"
MUTED = "#5c6068"
RULE = "#d5d8de"
BAND = "#f3f4f7"
PAPER = "#ffffff"

SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Colours of series, distinguishable with every common kind of colour vision. The first three also differ most in
lightness. The yellow of the palette is left out because it is not legible on white.

Reference: Okabe and Ito 2008, Color universal design, jfly.uni-koeln.de/color.
"""
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
"""Markers of series, so that colour is not the only sign. Seven markers and six colours give 42 combinations."""

ROBUST, ONLY_WHEN_CORRUPTED, WRONG = "#0072b2", "#56b4e9", "#b9bdc6"
"""Colours of the verdicts robust, right only when corrupted, and wrong when clean."""
UNAUDITED_VERDICT, UNAUDITED = "not audited", "#8fc4ea"
"""Label and colour of images that survived the screen of an audited attack and were not searched further."""

STATES = {"ok": "#0072b2", "failed": "#d55e00", "missing": "#e69f00", "not planned": BAND}
"""Colours of the states of a pair."""
SHADES = LinearSegmentedColormap.from_list(
    "blue-white-orange", ["#0b4f86", "#5aa5d6", "#f7f7f7", "#ef9a56", "#a84300"]
)
"""Colours of correlations from -1 to 1. Blue and orange differ with every common kind of colour vision."""
ON_LIGHT, ON_DARK = "#101114", "#fdfdfd"
"""Colours of text on a light or dark cell; the same on light and dark pages because the cell is the same."""

ROLES = {
    INK: "--ink",
    MUTED: "--muted",
    RULE: "--rule",
    BAND: "--band",
    PAPER: "--paper",
    WRONG: "--lost",
    **{colour: f"--series-{at}" for at, colour in enumerate(SERIES)},
}
"""CSS variables of the report for these colours; light and dark pages give them different values."""

PAGE, COLUMN = 7.1, 3.5
"""Width of the text of a journal page and of one of its two columns, in inches."""
TEXT_POINTS = 7.5
SMALL_POINTS = 6.0
"""Size of the smallest type in print."""
_MAX_TICKS = 25
"""Largest number of tick labels along the width of a page."""

_NO_GLYPH = "Glyph .* missing from font"
_RC: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": MUTED,
    "axes.facecolor": "none",
    "axes.grid": False,
    "axes.labelcolor": INK,
    "axes.labelsize": TEXT_POINTS,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 8,
    "axes.titleweight": "bold",
    "figure.facecolor": PAPER,
    "font.family": ["DejaVu Sans"],
    "figure.dpi": 200,
    "font.size": TEXT_POINTS,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "legend.fontsize": TEXT_POINTS - 0.5,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "pdf.fonttype": 42,  # TrueType outlines, as journals require
    "svg.fonttype": "none",
    "svg.hashsalt": "alignsec",  # fixed ids: the same data give the same bytes
    "text.color": INK,
    "text.parse_math": False,  # a name may contain a dollar sign
    "xtick.color": MUTED,
    "xtick.labelcolor": INK,
    "xtick.labelsize": TEXT_POINTS - 0.5,
    "xtick.major.width": 0.6,
    "ytick.color": MUTED,
    "ytick.labelcolor": INK,
    "ytick.labelsize": TEXT_POINTS - 0.5,
    "ytick.major.width": 0.6,
}


def breakers_from_best() -> tuple[Breaker, ...]:
    """Return what can break an image, from best to worst: the last component first.

    Corruptions and custom attacks come last; a pair has no other breaker with them.
    """
    return (*reversed(COMPONENTS.values()), CORRUPTION, CUSTOM)


def verdict_colours() -> dict[str, str]:
    """Return the colour of each verdict, from best to worst."""
    return {
        "robust": ROBUST,
        UNAUDITED_VERDICT: UNAUDITED,
        "right only when corrupted": ONLY_WHEN_CORRUPTED,
        **{breaker.meaning: breaker.colour for breaker in breakers_from_best()},
        "wrong when clean": WRONG,
    }


@contextmanager
def apply_style() -> Iterator[None]:
    """Apply this style to drawing and saving within the block; the user's matplotlib settings have no effect."""
    with mpl.rc_context(), warnings.catch_warnings():
        # DejaVu has no glyphs for some scripts. PDF and PNG then show boxes; the report shows the name.
        warnings.filterwarnings("ignore", message=_NO_GLYPH)
        mpl.rcdefaults()
        mpl.rcParams.update(_RC)
        yield


@dataclass(frozen=True)
class SeriesStyle:
    """The colour and marker of a series."""

    colour: str
    marker: str


def series_style(index: int) -> SeriesStyle:
    """Return the style of the series with this index, counted from 0."""
    return SeriesStyle(SERIES[index % len(SERIES)], MARKERS[index % len(MARKERS)])


def category_styles(categories: Iterable[str]) -> dict[str, SeriesStyle]:
    """Return a style for each category of benchmarks; Brain-Score's three categories always have the same."""
    order = ["neural_vision", "behavior_vision", "engineering_vision"]
    given = list(dict.fromkeys(categories))
    names = [*(name for name in order if name in given), *(name for name in given if name not in order)]
    return {name: series_style(order.index(name) if name in order else at) for at, name in enumerate(names)}


def set_percent_axis(axes: Axes, label: str, *, sparse: bool = False) -> None:
    """Set the x axis to shares from 0 to 1, labelled in per cent, with room for a mark at both ends."""
    axes.set_xlim(-0.02, 1.02)
    ticks = (0, 50, 100) if sparse else (0, 25, 50, 75, 100)
    axes.set_xticks([tick / 100 for tick in ticks], labels=[*map(str, ticks[:-1]), "100 %"])
    axes.set_xlabel(label)
    axes.grid(visible=True, axis="x")


def set_index_axis(axes: Axes, count: int) -> None:
    """Set the x axis to the indices of `count` items, with a tick at every 20th item, or fewer ticks if many."""
    step = next(step for step in (20, 50, 100, 200, 500, count) if count <= _MAX_TICKS * step)
    every = range(step, count + 1, step)
    axes.set_xlim(-0.6, count - 0.4)
    axes.set_xticks([number - 1 for number in every], labels=[str(number) for number in every])


_WIDEST_LABEL = 2.6
"""Width of the widest label of a row, in inches."""


@lru_cache(maxsize=4096)
def text_width(text: str, points: float = TEXT_POINTS) -> float:
    """Return the width of a text in inches."""
    font = FontProperties(family="DejaVu Sans", size=points)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=_NO_GLYPH)
        return float(text_to_path.get_text_width_height_descent(text, font, ismath=False)[0]) / 72


def draw_row_names(
    axes: Axes, names: list[str], points: float = TEXT_POINTS, longest: int = LONGEST_LABEL
) -> None:
    """Set the y axis to one row per name, the first at the top, with a band behind every second row.

    The names are texts and not tick labels, because matplotlib measures each tick label several times per format.
    """
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    left_of_axes = axes.get_yaxis_transform() + ScaledTranslation(-0.05, 0, axes.figure.dpi_scale_trans)
    for at, name in enumerate(_fit_names(names, points, longest)):
        axes.text(
            0, at, name, transform=left_of_axes, fontsize=points,
            ha="right", va="center_baseline", clip_on=False,
        )  # fmt: skip
    banded = np.arange(0, len(names), 2, dtype=np.float64)
    # x in shares of the width of the axes, so that the bands end where the axes end.
    bands = make_boxes(np.zeros(len(banded)), np.ones(len(banded)), banded, 1.0, BAND)
    bands.set(zorder=0, transform=axes.get_yaxis_transform())
    axes.add_collection(bands, autolim=False)


def row_names_width(names: Iterable[str], points: float = TEXT_POINTS, longest: int = LONGEST_LABEL) -> float:
    """Return the width that `draw_row_names` needs left of the axes, in inches."""
    return 0.1 + max((text_width(name, points) for name in _fit_names(list(names), points, longest)), default=0.0)


def _fit_names(names: Sequence[str], points: float, longest: int) -> list[str]:
    """Shorten names to labels that leave room for the axes, also if all their letters are wide."""
    labels = shorten_all(names, longest)
    while longest > 8 and max((text_width(label, points) for label in labels), default=0.0) > _WIDEST_LABEL:
        longest -= 2
        labels = shorten_all(names, longest)
    return labels


def make_boxes(left: Floats, right: Floats, rows: Floats, height: float, colour: Colours) -> PolyCollection:
    """Make one artist of many boxes.

    Args:
        left: Left ends; shape (n,).
        right: Right ends; shape (n,).
        rows: Centres in y; shape (n,).
        height: Height of each box.
        colour: One colour, or an array of n colours.

    Returns:
        The boxes, to be added to axes.
    """
    low, high = rows - height / 2, rows + height / 2
    corners = np.stack([left, low, right, low, right, high, left, high], axis=-1).reshape(-1, 4, 2)
    return PolyCollection(list(corners), linewidth=0, facecolor=colour)


def draw_colour_bar(
    axes: Axes,
    shades: Colormap,
    low: float,
    high: float,
    label: str,
    *,
    percent: bool = False,
    below: bool = False,
) -> None:
    """Draw a colour bar from low to high above or below the right end of the axes."""
    box = axes.get_window_extent().transformed(axes.figure.dpi_scale_trans.inverted())
    bottom = -0.14 / box.height if below else 1 + 0.17 / box.height
    bar = axes.inset_axes((1 - 0.9 / box.width, bottom, 0.9 / box.width, 0.07 / box.height))
    edges = np.linspace(low, high, 33)
    bar.pcolormesh(edges, [0, 1], [(edges[1:] + edges[:-1]) / 2], cmap=shades, norm=Normalize(low, high))
    ticks = [low, (low + high) / 2, high]
    bar.set_xticks(ticks, labels=[f"{100 * t:.0f}" if percent else f"{t:g}".replace("-", "−") for t in ticks])
    bar.tick_params(length=1.5, pad=1, labelsize=SMALL_POINTS)
    bar.set_yticks([])
    bar.text(-0.06, 0.5, label, transform=bar.transAxes, ha="right", va="center", fontsize=SMALL_POINTS + 0.5)
