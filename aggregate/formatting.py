"""Wording: how numbers and lists are written in the report."""

import math
from collections.abc import Sequence

from alignsec.spec.level import find_label_kind

NO_BREAK = "\N{NO-BREAK SPACE}"
"""Between a number and its sign or unit, so that a line never ends between them."""


def percent(share: float | None) -> str:
    """A share of 0.625 is "62.5 %"; of nothing, "–"."""
    return "–" if share is None or math.isnan(share) else f"{100 * share:.1f}{NO_BREAK}%"


def ends(low: float, high: float) -> str:
    """An interval of shares, such as "51.0–73.1 %"."""
    return f"{100 * low:.1f}–{100 * high:.1f}{NO_BREAK}%"


def decimal(value: float | None, digits: int = 2) -> str:
    """A number with a true minus sign; "–" where there is none."""
    if value is None or math.isnan(value):
        return "–"
    text = f"{value:.{digits}f}"
    return text.replace("-", "−") if float(text) else text.removeprefix("-")


def p_value(p: float | None) -> str:
    """The number alone, such as "0.031" or "< 0.001"."""
    if p is None or math.isnan(p):
        return "–"
    return f"<{NO_BREAK}0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def count(number: int) -> str:
    """Thousands set apart: 1,234,567."""
    return f"{number:,}"


def counted(number: int, thing: str) -> str:
    """Such as "1 model" and "12 models"."""
    return f"{number:,} {thing}" + ("" if number == 1 else "s")


def listed(items: Sequence[str]) -> str:
    """Such as "a", "a and b", "a, b and c"."""
    return " and ".join([", ".join(items[:-1]), items[-1]]) if len(items) > 1 else "".join(items)


def duration(seconds: float) -> str:
    """Seconds up to two minutes, then minutes, then hours."""
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:,.1f} h"


def format_budget(eps: str, method: str = "") -> str:
    """Format a budget for a heading or a sentence.

    Args:
        eps: The budget as the study writes it, such as "1/255", or the severity of a corruption, "severity 3".
        method: The method of the attack; "clean" gives "clean".

    Returns:
        Text such as "eps 1/255", "severity 3" or "clean".
    """
    if method == "clean":
        return "clean"
    return eps if find_label_kind(eps) == "severity" else f"eps {eps}"
