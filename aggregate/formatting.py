"""Formatting of numbers, budgets and lists for the report."""

import math
from collections.abc import Sequence

from alignsec.spec.level import find_label_kind

NO_BREAK = "\N{NO-BREAK SPACE}"
"""Space between a number and its sign or unit that prevents a line break."""


def format_percent(share: float | None) -> str:
    """Format a share: "62.5 %" for 0.625, "–" for None or NaN."""
    return "–" if share is None or math.isnan(share) else f"{100 * share:.1f}{NO_BREAK}%"


def format_interval(low: float, high: float) -> str:
    """Format an interval of shares, such as "51.0–73.1 %"."""
    return f"{100 * low:.1f}–{100 * high:.1f}{NO_BREAK}%"


def format_decimal(value: float | None, digits: int = 2) -> str:
    """Format a number with a minus sign (U+2212); "–" for None or NaN."""
    if value is None or math.isnan(value):
        return "–"
    text = f"{value:.{digits}f}"
    return text.replace("-", "−") if float(text) else text.removeprefix("-")


def format_p(p: float | None) -> str:
    """Format a p or q value without its name, such as "0.031" or "< 0.001"; "–" for None or NaN."""
    if p is None or math.isnan(p):
        return "–"
    return f"<{NO_BREAK}0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def format_count(number: int) -> str:
    """Format a count with separators of thousands, such as 1,234,567."""
    return f"{number:,}"


def format_quantity(number: int, noun: str) -> str:
    """Format a count and its noun, such as "1 model" and "12 models"."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def join_list(items: Sequence[str]) -> str:
    """Join names, such as "a", "a and b", "a, b and c"."""
    return " and ".join([", ".join(items[:-1]), items[-1]]) if len(items) > 1 else "".join(items)


def format_duration(seconds: float) -> str:
    """Format a duration in seconds below two minutes, in minutes below two hours, then in hours."""
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
    return eps if find_label_kind(eps) == "severity" or eps.startswith("mean ") else f"eps {eps}"
