"""The style of every figure: colours, marks, type, and how numbers and names are written."""

import warnings
from collections import Counter
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

from alignsec.spec.components import COMPONENTS, CORRUPTION, Breaker

Floats = npt.NDArray[np.float64]
Colours = str | npt.NDArray[np.float64]

INK = "#1c1d21"
MUTED = "#5c6068"
RULE = "#d5d8de"
BAND = "#f3f4f7"
PAPER = "#ffffff"

# Okabe & Ito 2008 (jfly.uni-koeln.de/color), told apart by every common kind of colour vision. Their yellow
# is left out: on white it cannot be read. Order: the first three differ most in lightness too.
SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
"""One a budget, so that colour is never the only sign; seven against six colours: 42 differ."""

ROBUST, ONLY_WHEN_CORRUPTED, WRONG = "#0072b2", "#56b4e9", "#b9bdc6"
"""Colours of images that stay robust, that are right only when corrupted, and that are wrong when clean."""

STATES = {"ok": "#0072b2", "failed": "#d55e00", "missing": "#e69f00", "not planned": BAND}
"""What became of a pair."""
SHADES = LinearSegmentedColormap.from_list(
    "blue-white-orange", ["#0b4f86", "#5aa5d6", "#f7f7f7", "#ef9a56", "#a84300"]
)
"""Of correlations from -1 to 1; blue and orange stay apart for every common kind of colour vision."""
ON_LIGHT, ON_DARK = "#101114", "#fdfdfd"
"""Text on a coloured cell: the same on light and dark pages, because the cell is."""

ROLES = {
    INK: "--ink",
    MUTED: "--muted",
    RULE: "--rule",
    BAND: "--band",
    PAPER: "--paper",
    WRONG: "--lost",
    **{colour: f"--series-{at}" for at, colour in enumerate(SERIES)},
}
"""The report's names for these colours: there, light and dark pages give them their own values."""

PAGE, COLUMN = 7.1, 3.5
"""Inches: the width of a journal's page of text, and of one of its two columns."""
TEXT_POINTS = 7.5
SMALL_POINTS = 6.0
"""The smallest type in print."""
LONGEST_LABEL = 34
_NUMBERS = 25
"""That find room along the width of a page."""

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
    "pdf.fonttype": 42,  # outlines as TrueType, which journals ask for
    "svg.fonttype": "none",
    "svg.hashsalt": "alignsec",  # the same table gives the same bytes
    "text.color": INK,
    "text.parse_math": False,  # a name may hold a dollar sign
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
    """Return what can break an image, from best to worst: the last component first, the corruption last."""
    return (*reversed(COMPONENTS.values()), CORRUPTION)


def fates() -> dict[str, str]:
    """Return the colour of each fate of an image, from best to worst."""
    return {
        "robust": ROBUST,
        "right only when corrupted": ONLY_WHEN_CORRUPTED,
        **{breaker.meaning: breaker.colour for breaker in breakers_from_best()},
        "wrong when clean": WRONG,
    }


@contextmanager
def applied() -> Iterator[None]:
    """Draw and save in the house's style, whatever the user's own matplotlib settings are."""
    with mpl.rc_context(), warnings.catch_warnings():
        # DejaVu lacks some scripts: such a name is boxes in the PDF and PNG, and whole in the report.
        warnings.filterwarnings("ignore", message=_NO_GLYPH)
        mpl.rcdefaults()
        mpl.rcParams.update(_RC)
        yield


@dataclass(frozen=True)
class Look:
    """How one series is drawn."""

    colour: str
    marker: str


def look(place: int) -> Look:
    """The look of the n-th budget, counted from 0."""
    return Look(SERIES[place % len(SERIES)], MARKERS[place % len(MARKERS)])


def looks(categories: Iterable[str]) -> dict[str, Look]:
    """A look for each category of benchmarks, Brain-Score's three always the same."""
    order = ["neural_vision", "behavior_vision", "engineering_vision"]
    given = list(dict.fromkeys(categories))
    named = [*(name for name in order if name in given), *(name for name in given if name not in order)]
    return {name: look(order.index(name) if name in order else at) for at, name in enumerate(named)}


def shortened(name: str, longest: int = LONGEST_LABEL, head: float = 0.5) -> str:
    """A label that fits: the middle of a long name gives way, because both ends tell models apart.

    head: the share of the label that the name's beginning has.
    """
    # A control character in a name would make the SVG file no XML.
    name = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in name)
    if len(name) <= longest:
        return name
    begin = int((longest - 1) * head)
    return f"{name[:begin]}…{name[-(longest - 1 - begin) :]}"


def labels(names: Sequence[str], longest: int = LONGEST_LABEL) -> list[str]:
    """A label for each name; where the middles alone tell names apart, more of them is kept."""
    found = [shortened(name, longest) for name in names]
    for head in (0.7, 0.9):
        twice = {label for label, count in Counter(found).items() if count > 1}
        found = [shortened(n, longest, head) if f in twice else f for n, f in zip(names, found, strict=True)]
    return found


def percent_axis(axes: Axes, label: str, *, sparse: bool = False) -> None:
    """Shares from 0 to 1 along x, written in percent, with room for a mark on either end."""
    axes.set_xlim(-0.02, 1.02)
    ticks = (0, 50, 100) if sparse else (0, 25, 50, 75, 100)
    axes.set_xticks([tick / 100 for tick in ticks], labels=[*map(str, ticks[:-1]), "100 %"])
    axes.set_xlabel(label)
    axes.grid(visible=True, axis="x")


def counting_axis(axes: Axes, count: int) -> None:
    """Things side by side along x, the first at 0, every twentieth with its number; of many, fewer have one."""
    step = next(step for step in (20, 50, 100, 200, 500, count) if count <= _NUMBERS * step)
    every = range(step, count + 1, step)
    axes.set_xlim(-0.6, count - 0.4)
    axes.set_xticks([number - 1 for number in every], labels=[str(number) for number in every])


@lru_cache(maxsize=4096)
def width(text: str, points: float = TEXT_POINTS) -> float:
    """How wide a text is, in inches."""
    font = FontProperties(family="DejaVu Sans", size=points)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=_NO_GLYPH)
        return float(text_to_path.get_text_width_height_descent(text, font, ismath=False)[0]) / 72


def rows(axes: Axes, names: list[str], points: float = TEXT_POINTS, longest: int = LONGEST_LABEL) -> None:
    """One named row each, the first on top, every other row on a faint band.

    The names are texts, not ticks: matplotlib measures each tick label several times for every format.
    """
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    beside = axes.get_yaxis_transform() + ScaledTranslation(-0.05, 0, axes.figure.dpi_scale_trans)
    for at, name in enumerate(labels(names, longest)):
        axes.text(
            0, at, name, transform=beside, fontsize=points,
            ha="right", va="center_baseline", clip_on=False,
        )  # fmt: skip
    banded = np.arange(0, len(names), 2, dtype=np.float64)
    # In shares of the axes' width: the bands end where the axes do.
    bands = boxes(np.zeros(len(banded)), np.ones(len(banded)), banded, 1.0, BAND)
    bands.set(zorder=0, transform=axes.get_yaxis_transform())
    axes.add_collection(bands, autolim=False)


def names_width(names: Iterable[str], points: float = TEXT_POINTS, longest: int = LONGEST_LABEL) -> float:
    """Inches that the names of rows take beside their axes."""
    return 0.1 + max((width(name, points) for name in labels(list(names), longest)), default=0.0)


def boxes(left: Floats, right: Floats, rows: Floats, height: float, colour: Colours) -> PolyCollection:
    """Boxes, one a row, centred on it; arrays of shape (n,), one colour or n. One artist for all."""
    low, high = rows - height / 2, rows + height / 2
    corners = np.stack([left, low, right, low, right, high, left, high], axis=-1).reshape(-1, 4, 2)
    return PolyCollection(list(corners), linewidth=0, facecolor=colour)


def key(axes: Axes, shades: Colormap, low: float, high: float, label: str, *, percent: bool = False) -> None:
    """A strip of colours from low to high above the right end of the axes."""
    box = axes.get_window_extent().transformed(axes.figure.dpi_scale_trans.inverted())
    strip = axes.inset_axes((1 - 0.9 / box.width, 1 + 0.17 / box.height, 0.9 / box.width, 0.07 / box.height))
    edges = np.linspace(low, high, 33)
    strip.pcolormesh(edges, [0, 1], [(edges[1:] + edges[:-1]) / 2], cmap=shades, norm=Normalize(low, high))
    ticks = [low, (low + high) / 2, high]
    strip.set_xticks(ticks, labels=[f"{100 * t:.0f}" if percent else f"{t:g}".replace("-", "−") for t in ticks])
    strip.tick_params(length=1.5, pad=1, labelsize=SMALL_POINTS)
    strip.set_yticks([])
    strip.text(-0.06, 0.5, label, transform=strip.transAxes, ha="right", va="center", fontsize=SMALL_POINTS + 0.5)
