"""Parts of an analysis that may fail: one that fails becomes a sentence of the report and costs nothing else."""

from collections.abc import Callable
from typing import TypeVar

FAILURES = (ValueError, ArithmeticError, LookupError, OSError, RuntimeError)
"""What a computation or a drawing raises on data that it was not written for. UnicodeError and numpy's LinAlgError
are kinds of ValueError."""
_MAX_REASON = 200
Result = TypeVar("Result")


def describe_failure(what: str, error: Exception) -> str:
    """Return the sentence about a part that failed: that it could not be computed, and the reason."""
    reason = " ".join(str(error).split())[:_MAX_REASON].rstrip(".") or "no reason given"
    return f"{what} could not be computed: {type(error).__name__}: {reason}."


def attempt(what: str, failed: list[str], compute: Callable[[], Result], empty: Callable[[], Result]) -> Result:
    """Return the result of a part of the analysis, or an empty one if it fails.

    Args:
        what: Name of the part, which begins the sentence about a failure.
        failed: The list to which the sentence is added.
        compute: Computes the part.
        empty: Makes the result without data.
    """
    try:
        return compute()
    except FAILURES as error:
        failed.append(describe_failure(what, error))
    return empty()
