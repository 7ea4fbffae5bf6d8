"""Text in CSV files that a spreadsheet must not run as a formula.

Spreadsheets take a cell that starts with =, +, - or @ as a formula, also in a CSV file. Text from names and notes
therefore gets a single quote in front, which a spreadsheet shows as text. Readers of this project remove it.
"""

import re

_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_GUARDED = re.compile(r"'+[=+\-@\t\r]")


def guard_text(text: str) -> str:
    """Return the text with a single quote in front if a spreadsheet would run it; `unguard_text` removes it."""
    return f"'{text}" if _FORMULA.match(text) else text


def unguard_text(text: str) -> str:
    """Return the text without the single quote that `guard_text` added."""
    return text[1:] if _GUARDED.match(text) else text
