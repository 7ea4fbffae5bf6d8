"""How a command that works on a study ends: what it tells of that, and its exit code."""

import sys
from collections.abc import Callable

from rich.console import Console

from alignsec.errors import ConfigErrors

DONE = 0
NOT_ALL = 1
"""A disk failed, or some of what was asked for is not there: a pair is not ok, weights cannot be had."""
MISTAKEN = 2
"""A study or .env that is to be mended first; argparse's number for arguments."""
INTERRUPTED = 130
"""128 and SIGINT, as shells count."""


def run_command(work: Callable[[], int], console: Console, kept: str) -> int:
    """The exit code that some work returns, or that of the Mistakes, OSError or KeyboardInterrupt it raises.

    kept: what is told after the error of a disk and after an interrupt, such as what need not be done again.
    """
    try:
        return work()
    except ConfigErrors as errors:
        sys.stderr.write(f"{errors}\n")
        return MISTAKEN
    except OSError as error:
        sys.stderr.write(f"{error}\n{kept}\n")
        return NOT_ALL
    except KeyboardInterrupt:
        console.print(f"interrupted; {kept}")
        return INTERRUPTED
