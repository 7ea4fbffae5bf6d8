"""The style of every figure: colours, marks, type, and how numbers and names are written."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection

Floats = npt.NDArray[np.float64]

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

PARTS = {
    "robust": "#0072b2",
    "broken by square": "#cc79a7",
    "broken by fab-t": "#009e73",
    "broken by apgd-t": "#e69f00",
    "broken by apgd-ce": "#d55e00",
    "wrong when clean": "#b9bdc6",
}
"""What becomes of an image, from best to worst."""

ROLES = {
    INK: "--ink",
    MUTED: "--muted",
    RULE: "--rule",
    BAND: "--band",
    PAPER: "--paper",
    PARTS["wrong when clean"]: "--lost",
    **{colour: f"--series-{at}" for at, colour in enumerate(SERIES)},
}
"""The report's names for these colours: there, light and dark pages give them their own values."""

TEXT_POINTS = 8.0
LONGEST_LABEL = 34

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
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "figure.facecolor": PAPER,
    "font.family": ["DejaVu Sans"],
    "figure.constrained_layout.w_pad": 0.08,  # inches: letters are a little wider in one format than another
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


@contextmanager
def applied() -> Iterator[None]:
    """Draw and save in the house's style, whatever the user's own matplotlib settings are."""
    with mpl.rc_context(), warnings.catch_warnings():
        # DejaVu lacks some scripts: such a name is boxes in the PDF and PNG, and whole in the report.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
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


def shortened(name: str, longest: int = LONGEST_LABEL) -> str:
    """A label that fits: the middle of a long name gives way, because both ends tell models apart."""
    # A control character in a name would make the SVG file no XML.
    name = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in name)
    if len(name) <= longest:
        return name
    head = (longest - 1) // 2
    return f"{name[:head]}…{name[-(longest - 1 - head) :]}"


def percent_axis(axes: Axes, label: str) -> None:
    """Shares from 0 to 1 along x, written in percent, with room for a mark on either end."""
    axes.set_xlim(-0.02, 1.02)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], labels=["0", "25", "50", "75", "100 %"])
    axes.set_xlabel(label)
    axes.grid(visible=True, axis="x")
    axes.tick_params(axis="y", length=0)


def model_axis(axes: Axes, names: list[str]) -> None:
    """One row a model, the first on top, every other row on a faint band."""
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_yticks(range(len(names)), labels=[shortened(name) for name in names])
    axes.spines["left"].set_visible(False)
    rows = np.arange(0, len(names), 2, dtype=np.float64)
    # In shares of the axes' width: the bands end where the axes do.
    bands = boxes(np.zeros(len(rows)), np.ones(len(rows)), rows, 1.0, BAND)
    bands.set(zorder=0, transform=axes.get_yaxis_transform())
    axes.add_collection(bands, autolim=False)


def boxes(left: Floats, right: Floats, rows: Floats, height: float, colour: str) -> PolyCollection:
    """Boxes, one a row, centred on it; all arrays of shape (n,). One artist, however many there are."""
    low, high = rows - height / 2, rows + height / 2
    corners = np.stack([left, low, right, low, right, high, left, high], axis=-1).reshape(-1, 4, 2)
    return PolyCollection(list(corners), linewidth=0, color=colour)
