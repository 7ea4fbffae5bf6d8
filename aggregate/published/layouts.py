"""Forms: the layouts in which robust accuracies are published, each read into the same entries.

Tidy (`model, attack, eps, robust_accuracy`); RobustBench's (`clean, aa`); and those of the study's first
implementation: long, a row a model and epsilon (`Model Name, Epsilon, Top-1 Accuracy`), and wide, a row a model
with the epsilon in the columns' names (`Top-1 Accuracy Linf 0.00392`).
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

MODEL_COLUMNS = ("model", "model_name", "model_registry_name", "id", "name")
"""Headers of the column that names the model, the first of these that is there, case and blanks aside."""
_WIDE = re.compile(r"top_([15])_accuracy_(\w+?)_([0-9.eE+-]+)")
_TOP5 = " top-5"


@dataclass(frozen=True)
class PublishedCell:
    """One robust accuracy as its file has it, all in text; empty where the file has nothing."""

    line: int
    model: str
    attack: str
    norm: str
    eps: str
    robust: str
    clean: str
    images: str = ""
    architecture: str = ""
    column: str = ""
    """Where the robust accuracy stands."""


Line = tuple[int, Mapping[str, str]]


@dataclass(frozen=True)
class Layout:
    """One layout."""

    name: str
    needs: frozenset[str]
    """Columns without which a file has not this form, in `plain` spelling."""
    entries: Callable[[Line, str, str], Iterator[PublishedCell]]
    """The entries of one line: given it, the column that names the model, and the norm in the file's name."""
    wide: bool = False

    def fits(self, columns: Sequence[str]) -> bool:
        """Whether a file with these columns has this form."""
        return self.needs <= set(columns) and (not self.wide or any(map(_WIDE.fullmatch, columns)))


def normalize_column(column: str) -> str:
    """A column's name in lower case, an underscore for blanks and hyphens: "Top-1 Accuracy" is top_1_accuracy."""
    return re.sub(r"[\s_-]+", "_", column.strip().lower())


def _tidy(line: Line, name: str, norm: str) -> Iterator[PublishedCell]:
    number, cells = line
    yield PublishedCell(
        number, cells[name], cells["attack"], cells.get("norm", norm), cells["eps"], cells["robust_accuracy"],
        cells.get("clean_accuracy", ""), cells.get("images", ""), cells.get("architecture", ""), "robust_accuracy",
    )  # fmt: skip


def _robustbench(line: Line, name: str, norm: str) -> Iterator[PublishedCell]:
    number, cells = line
    yield PublishedCell(
        number, cells[name], "AutoAttack", cells.get("norm", norm), cells["eps"], cells["aa"], cells["clean"],
        cells.get("images", ""), cells.get("arch", ""), "aa",
    )  # fmt: skip


def _long(line: Line, name: str, norm: str) -> Iterator[PublishedCell]:
    number, cells = line
    threat = cells.get("threat_model", norm)
    for top, column in (("", "top_1_accuracy"), (_TOP5, "top_5_accuracy")):
        if column in cells:
            clean = column.replace("accuracy", "subset_clean_accuracy")
            yield PublishedCell(
                number, cells[name], f"AutoAttack {threat}{top}".replace("  ", " "), threat, cells["epsilon"],
                cells[column], cells.get(clean, ""), cells.get("images", ""), "", column,
            )  # fmt: skip


def _wide(line: Line, name: str, norm: str) -> Iterator[PublishedCell]:
    number, cells = line
    del norm  # the columns say it
    for column, text in cells.items():
        if found := _WIDE.fullmatch(column):
            top, threat, eps = found.groups()
            threat = {"linf": "Linf"}.get(threat, threat.upper())
            yield PublishedCell(
                number, cells[name], f"AutoAttack {threat}{_TOP5 if top == '5' else ''}", threat, eps, text,
                cells.get(f"top_{top}_subset_clean_accuracy", ""), cells.get("images", ""), "", column,
            )  # fmt: skip


LAYOUTS = (
    Layout("tidy", frozenset({"attack", "eps", "robust_accuracy"}), _tidy),
    Layout("RobustBench’s", frozenset({"eps", "clean", "aa"}), _robustbench),
    Layout("long", frozenset({"epsilon", "top_1_accuracy"}), _long),
    Layout("wide", frozenset(), _wide, wide=True),
)
