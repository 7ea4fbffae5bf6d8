"""Levels: the strengths at which an attack is evaluated, either budgets or severities of a corruption."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from alignsec.spec.budget import Budget

LevelKind = Literal["clean", "eps", "severity"]
_SEVERITY = "severity "
_CLEAN = "0"


@dataclass(frozen=True)
class Level:
    """One strength of an attack.

    Attributes:
        label: Text in the column `eps` of table.csv, such as "1/255", "severity 3" or "0" for clean images.
        value: Number to sort and plot by: eps in pixels of [0,1], the severity from 1 to 5, or 0.
        kind: Whether the level is a budget, a severity, or clean images.
    """

    label: str
    value: float
    kind: LevelKind

    @classmethod
    def from_budget(cls, budget: Budget) -> "Level":
        """Return the level of an eps."""
        return cls(budget.text, float(budget), "eps")

    @classmethod
    def from_severity(cls, severity: int) -> "Level":
        """Return the level of a corruption's severity."""
        return cls(f"{_SEVERITY}{severity}", severity, "severity")

    @classmethod
    def clean(cls) -> "Level":
        """Return the level of clean images."""
        return cls(_CLEAN, 0.0, "clean")


def find_kind(method: str) -> LevelKind:
    """Return the kind of the levels of a method, such as "severity" for the method "corruption"."""
    if method == "clean":
        return "clean"
    return "severity" if method == "corruption" else "eps"


def find_label_kind(label: str) -> LevelKind:
    """Return the kind of a label of table.csv, such as "severity" for "severity 3"; "0" may be an eps too."""
    return "severity" if label.startswith(_SEVERITY) else "eps"


def strip_kind(label: str) -> str:
    """Return a label without its kind, for axes and lists: "3" for "severity 3", "1/255" for "1/255"."""
    return label.removeprefix(_SEVERITY)


def join_labels(labels: Sequence[str], last: str = ", ") -> str:
    """Return the labels of one attack as a list that names the kind once, such as "severity 1, 3, 5".

    Args:
        labels: Labels in the order of the list; at least one.
        last: Separator before the last label, such as " and ".
    """
    names = [labels[0], *(strip_kind(label) for label in labels[1:])]
    return last.join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]
