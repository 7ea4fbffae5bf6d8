"""Reference passes: forward passes of one image that stays robust, in the components of the package pyautoattack.

Each function returns an upper bound for one budget, with the start, the component's own checks and the judge.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alignsec.spec.components import Norm, Parameters


def _count_searches(parameters: "Parameters") -> int:
    return parameters.get("targets", 1) * parameters.get("restarts", 1)


def _count_starts(norm: "Norm") -> int:
    """APGD for L1 starts in each of three balls."""
    return 3 if norm == "L1" else 1


def apgd_ce(parameters: "Parameters", norm: "Norm") -> int:
    """Return those of APGD without a target class."""
    return 2 + _count_searches(parameters) * (parameters["steps"] + _count_starts(norm))


def eot(parameters: "Parameters", norm: "Norm") -> int:
    """Return those of APGD that averages several gradients."""
    return 2 + _count_searches(parameters) * (parameters["steps"] + _count_starts(norm)) * parameters["eot"]


def fab(parameters: "Parameters", norm: "Norm") -> int:
    """Return those of untargeted FAB."""
    return 2 + _count_searches(parameters) * (2 * parameters["steps"] + 3)


def apgd_t(parameters: "Parameters", norm: "Norm") -> int:
    """Return those of APGD-T."""
    return 2 + _count_searches(parameters) * (parameters["steps"] + _count_starts(norm) + 1)


def fab_t(parameters: "Parameters", norm: "Norm") -> int:
    """Return those of FAB-T."""
    return 2 + _count_searches(parameters) * (2 * parameters["steps"] + 3)


def square(parameters: "Parameters", norm: "Norm") -> int:
    """Return those of Square."""
    return 4 + parameters["queries"]
