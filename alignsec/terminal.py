"""Text for a terminal: escape sequences and control characters in it never reach the terminal.

Failure reasons, log lines, host names and file names come from jobs and from files of others. A terminal executes
escape sequences in them: they can hide lines, change the title, or paste text.
"""

import re
from typing import TextIO

_CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 without tab and newline, DEL, C1
    "\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"  # bidirectional marks, overrides and isolates; separators
    "\ud800-\udfff]"  # surrogates, which no terminal's encoding contains
)


def escape_controls(text: str) -> str:
    r"""Return a text with control characters written as escapes such as `\x1b`; tabs and newlines are kept."""
    return _CONTROLS.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def write(stream: TextIO, text: str) -> None:
    """Write a text to stdout or stderr with control characters escaped."""
    stream.write(escape_controls(text))
