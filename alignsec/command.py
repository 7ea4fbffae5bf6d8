"""Run the work of an entry point and turn its errors into a message and an exit code."""

import os
import select
import sys
from collections.abc import Callable, Mapping

from alignsec import terminal
from alignsec.errors import ConfigErrors

SUCCESS = 0
INCOMPLETE = 1
"""Part of the result is missing: a disk failed, a pair is not ok, or weights could not be downloaded."""
INPUT_ERROR = 2
"""The study, `.env` or an argument is invalid. argparse exits with the same code."""
INTERRUPTED = 130
"""128 + SIGINT, as in shells."""


def run_command(
    work: Callable[[], int],
    note: str,
    os_error: int = INCOMPLETE,
    expected: Mapping[type[Exception], int] | None = None,
) -> int:
    """Run the work of an entry point and return its exit code.

    An expected error becomes a message on stderr without a traceback. Ctrl-C becomes one line. If the reader of
    stdout has closed it, as `make status | head` does, the command ends without a message. Other exceptions are
    bugs and propagate.

    Args:
        work: Does the work and returns the exit code.
        note: What is kept and how to continue. It follows the message of an `OSError` and of Ctrl-C.
        os_error: Exit code for an `OSError`.
        expected: Exit codes for further exception types. Their message is written without the note.

    Returns:
        The exit code of `work`, INPUT_ERROR for `ConfigErrors`, `os_error` for an `OSError`, or INTERRUPTED for
        Ctrl-C.
    """
    codes: dict[type[Exception], int] = {ConfigErrors: INPUT_ERROR, **(expected or {})}
    try:
        code = work()
        sys.stdout.flush()
    except tuple(codes) as error:
        terminal.write(sys.stderr, f"{error}\n")
        return next(code for kind, code in codes.items() if isinstance(error, kind))
    except BrokenPipeError as error:
        return INCOMPLETE if _discard_stdout() else _report(error, note, os_error)
    except OSError as error:
        return _report(error, note, os_error)
    except KeyboardInterrupt:
        terminal.write(sys.stderr, f"interrupted; {note}\n")
        return INTERRUPTED
    return code


def explain_missing(missing: ModuleNotFoundError, requirements: str) -> str:
    """Return the message of an entry point whose libraries are not installed.

    Args:
        missing: The error of the import.
        requirements: The file in requirements/ that has the library.
    """
    return (
        f"{missing}: the command needs requirements/{requirements}.txt, which this Python does not have. "
        "On an access point, let a job compute it: FINAL writes the analysis. "
        "On another machine, run: make FULL=1 .venv/.ready"
    )


def _report(error: OSError, note: str, code: int) -> int:
    what = f"{error.filename}: {error.strerror}" if error.filename and error.strerror else str(error)
    terminal.write(sys.stderr, f"{what}; {note}\n")
    return code


def _discard_stdout() -> bool:
    """If the reader of stdout has closed it, send the rest to /dev/null: the flush at exit must not fail."""
    output = sys.stdout.fileno()
    poll = select.poll()
    poll.register(output, 0)
    if not any(event & select.POLLERR for _, event in poll.poll(0)):
        return False
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, output)
    os.close(null)
    return True
