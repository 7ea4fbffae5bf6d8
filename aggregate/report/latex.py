"""LaTeX tables in the style of booktabs: escaped names, numbers of fixed digits, and longtable.

The same values give the same bytes. Names with non-Latin letters need LuaLaTeX or XeLaTeX.
"""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pandas as pd
from matplotlib import get_data_path
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", "\"": r"{\char34}", "`": r"\textasciigrave{}", "-": "-{}", "[": "{[}", "]": "{]}",
    "*": "{*}",
}  # fmt: skip
NO_NUMBER = "--"

TEXT_WIDTH = 345.0
"""Width of the text of LaTeX's article class at 10 pt, in pt."""
POINTS = 8
"""Size of the type of a table; `\\footnotesize` of a document at 10 pt."""
GAP = 5.0
"""Space between two columns, in pt."""
_SLACK = 4.0
"""Space that a table leaves, because italic letters of headings are wider than measured, in pt."""
_OPTICAL = 1.0625
"""Width of a letter of cmr8 divided by that of the letter of cmr10 at the same size."""
_SIGN = 0.8264
"""Width of a minus or less sign, in em."""


def escape(text: str) -> str:
    """Escape text so that LaTeX prints each character: no commands, no ligatures, no optional arguments."""
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    return "".join(_SPECIAL.get(letter, letter) for letter in printable)


def format_number(value: float | None, digits: int = 2) -> str:
    """Format a number with fixed digits and a minus sign in math mode; a dash if it is missing."""
    if value is None or pd.isna(value):
        return NO_NUMBER
    text = f"{value:.{digits}f}"
    return text.removeprefix("-") if float(text) == 0 else text.replace("-", "$-$")


def format_p(p: float | None) -> str:
    """Format a p or q value with three digits; "$<$0.001" below 0.001."""
    return "$<$0.001" if p is not None and p < 0.001 else format_number(p, 3)


def format_percent(share: float | None) -> str:
    """Format a share in per cent with one digit, without the percent sign, which is in the heading."""
    return NO_NUMBER if share is None or pd.isna(share) else format_number(100 * share, 1)


def format_interval(low: float | None, high: float | None, digits: int = 2) -> str:
    """Format an interval such as "[0.12, 0.56]"; empty if an end is missing."""
    if low is None or high is None or math.isnan(low) or math.isnan(high):
        return ""
    return f"[{format_number(low, digits)}, {format_number(high, digits)}]"


@dataclass(frozen=True)
class RowGroup:
    """Rows under one heading."""

    heading: str
    """Plain text; empty for no heading."""
    rows: tuple[tuple[str, ...], ...]
    """Cells as LaTeX."""


def format_name(text: str) -> str:
    """Escape a name and allow a line to break after each separator, and within twelve letters without one."""
    broken = re.sub(r"([_./](?=.)|[^-_./\s]{12}(?=[^-_./\s]))", "\\1\0", text)
    return r"\allowbreak{}".join(escape(part) for part in broken.split("\0"))


def stack(*lines: str) -> str:
    """Return a cell or a heading of several lines. Braces separate a line that begins with a bracket."""
    shown = [line for line in lines if line]
    return r"\shortstack[r]{" + r"\\{}".join(shown) + "}" if len(shown) > 1 else "".join(shown)


def format_table(
    caption: str, label: str, columns: str, headings: Sequence[str], groups: Iterable[RowGroup]
) -> str:
    """Format a longtable, which can break over pages and is at most `TEXT_WIDTH` wide.

    Args:
        caption: Caption as LaTeX.
        label: Label for `\\ref`.
        columns: One letter per column: "l" for text, which is wrapped if the table would be too wide, "r" for
            numbers.
        headings: Headings of the columns as LaTeX.
        groups: Rows.

    Returns:
        The table with a comment that names the packages it needs.
    """
    groups = list(groups)
    head = " & ".join(headings) + r" \\"
    fitted = fit_columns(columns, [tuple(headings), *(row for group in groups for row in group.rows)])
    lines = [
        r"% Needs \usepackage{array,booktabs,longtable}.",
        rf"\begingroup\fontsize{{{POINTS}}}{{{1.2 * POINTS:g}}}\selectfont",
        rf"\setlength{{\tabcolsep}}{{{GAP / 2:g}pt}}",
        rf"\begin{{longtable}}{{@{{}}{fitted}@{{}}}}",
        rf"\caption{{{caption}}}\label{{{label}}}\\",
        r"\toprule", head, r"\midrule", r"\endfirsthead",
        r"\toprule", head, r"\midrule", r"\endhead",
        r"\bottomrule", r"\endfoot",
    ]  # fmt: skip
    for at, group in enumerate(groups):
        if at:
            lines.append(r"\addlinespace")
        if group.heading:
            lines.append(rf"\multicolumn{{{len(headings)}}}{{@{{}}l}}{{\textit{{{escape(group.heading)}}}}} \\*")
        lines.extend(" & ".join(row) + r" \\" for row in group.rows)
    return "\n".join([*lines, r"\end{longtable}", r"\endgroup", ""])


def fit_columns(columns: str, rows: Sequence[Sequence[str]]) -> str:
    """Return the column specification of a table of at most `TEXT_WIDTH`.

    Columns of numbers have their natural width. If the text columns need more than the rest, the narrow ones keep
    their natural width and the others share what is left and are wrapped.

    Args:
        columns: One letter per column, "l" or "r".
        rows: Cells of the headings and of all rows, as LaTeX.
    """
    natural = [max(measure(row[at]) for row in rows) for at in range(len(columns))]
    left = TEXT_WIDTH - _SLACK - GAP * (len(columns) - 1)
    left -= sum(width for width, letter in zip(natural, columns, strict=True) if letter == "r")
    texts = sorted((at for at, letter in enumerate(columns) if letter == "l"), key=natural.__getitem__)
    fitted = list(columns)
    for done, at in enumerate(texts):
        share = left / (len(texts) - done)
        if natural[at] > share:
            fitted[at] = rf">{{\raggedright\arraybackslash}}p{{{share:.1f}pt}}"
        left -= min(natural[at], share)
    return "".join(fitted)


def measure(cell: str) -> float:
    """Return the natural width of a cell in pt, in Computer Modern at `POINTS`."""
    inner = re.sub(r"^\\shortstack\[r\]\{(.*)\}$", r"\1", cell)
    return max(_measure_line(line) for line in inner.split(r"\\"))


def _measure_line(line: str) -> float:
    signs = line.count("$-$") + line.count("$<$")
    plain = re.sub(r"\$[-<]\$|\\allowbreak\{\}|\\text[a-z]+(?=\{)|\\,|[\\{}$^]", "", line)
    return signs * _SIGN * POINTS + _advance(plain) * _OPTICAL


@lru_cache(maxsize=4096)
def _advance(text: str) -> float:
    font = FontProperties(fname=Path(get_data_path(), "fonts/ttf/cmr10.ttf"), size=POINTS)
    return float(text_to_path.get_text_width_height_descent(text, font, ismath=False)[0])
