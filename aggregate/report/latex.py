"""LaTeX: names that are set letter by letter, numbers that stay as they are, tables in booktabs' style.

The same values give the same bytes. Names outside Latin letters need LuaLaTeX or XeLaTeX.
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


def escaped(text: str) -> str:
    """Text that LaTeX sets letter by letter: nothing in it is a command, and no two signs become one."""
    visible = "".join(letter if letter.isprintable() else " " for letter in text)
    return "".join(_SPECIAL.get(letter, letter) for letter in visible)


def number(value: float | None, digits: int = 2) -> str:
    """A number of fixed digits with a math minus; a dash where there is none."""
    if value is None or pd.isna(value):
        return NO_NUMBER
    text = f"{value:.{digits}f}"
    return text.removeprefix("-") if float(text) == 0 else text.replace("-", "$-$")


def chance(p: float | None) -> str:
    """A value of p or q: three digits, "$<$0.001" below."""
    return "$<$0.001" if p is not None and p < 0.001 else number(p, 3)


def percent(share: float | None) -> str:
    """A share in per cent with one digit, without the sign: the heading has it."""
    return NO_NUMBER if share is None or pd.isna(share) else number(100 * share, 1)


def interval(low: float | None, high: float | None, digits: int = 2) -> str:
    """Such as "[0.12, 0.56]"."""
    if low is None or high is None or math.isnan(low) or math.isnan(high):
        return ""
    return f"[{number(low, digits)}, {number(high, digits)}]"


@dataclass(frozen=True)
class Group:
    """Rows under one heading."""

    heading: str
    rows: tuple[tuple[str, ...], ...]
    """Cells, already LaTeX."""


def table(caption: str, label: str, columns: str, headings: Sequence[str], groups: Iterable[Group]) -> str:
    """A longtable, which breaks over pages. caption and headings are LaTeX; columns as `tabular` takes them."""
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
            lines.append(rf"\multicolumn{{{len(headings)}}}{{l}}{{\textit{{{escaped(group.heading)}}}}} \\*")
        lines.extend(" & ".join(row) + r" \\" for row in group.rows)
    return "\n".join([*lines, r"\end{longtable}", ""])
