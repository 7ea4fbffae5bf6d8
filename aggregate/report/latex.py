"""LaTeX tables in the style of booktabs: escaped names, numbers of fixed digits, and longtable.

The same values give the same bytes. Names with non-Latin letters need LuaLaTeX or XeLaTeX.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", "\"": r"{\char34}", "`": r"\textasciigrave{}", "-": "-{}", "[": "{[}", "]": "{]}",
    "*": "{*}",
}  # fmt: skip
NO_NUMBER = "--"


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


def format_table(
    caption: str, label: str, columns: str, headings: Sequence[str], groups: Iterable[RowGroup]
) -> str:
    """Format a longtable, which can break over pages.

    Args:
        caption: Caption as LaTeX.
        label: Label for `\\ref`.
        columns: Column specification of `tabular`.
        headings: Headings of the columns as LaTeX.
        groups: Rows.

    Returns:
        The table with a comment that names the packages it needs.
    """
    head = " & ".join(headings) + r" \\"
    lines = [
        r"% Needs \usepackage{booktabs,longtable}.",
        rf"\begin{{longtable}}{{{columns}}}",
        rf"\caption{{{caption}}}\label{{{label}}}\\",
        r"\toprule", head, r"\midrule", r"\endfirsthead",
        r"\toprule", head, r"\midrule", r"\endhead",
        r"\bottomrule", r"\endfoot",
    ]  # fmt: skip
    for at, group in enumerate(groups):
        if at:
            lines.append(r"\addlinespace")
        if group.heading:
            lines.append(rf"\multicolumn{{{len(headings)}}}{{l}}{{\textit{{{escape(group.heading)}}}}} \\*")
        lines.extend(" & ".join(row) + r" \\" for row in group.rows)
    return "\n".join([*lines, r"\end{longtable}", ""])
