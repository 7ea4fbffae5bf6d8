"""Layouts of published tables of robust accuracies, all converted to the same cells.

* tidy: `model, attack, eps, robust_accuracy`;
* RobustBench's: `clean, aa`;
* long, from the study's first implementation: one row per model and epsilon, with the columns
  `Model Name, Epsilon, Top-1 Accuracy`;
* wide, from the same implementation: one row per model, with the epsilon in the columns' names
  (`Top-1 Accuracy Linf 0.00392`).
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

MODEL_COLUMNS = ("model", "model_name", "model_registry_name", "id", "name")
"""Normalised headers of the column with the model's name, by priority."""
_WIDE = re.compile(r"top_([15])_accuracy_(\w+?)_([0-9.eE+-]+)")
_TOP5 = " top-5"


@dataclass(frozen=True)
class PublishedCell:
    """One robust accuracy as text. A field that the file does not have is empty."""

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
    """Name of the column with the robust accuracy."""


NumberedLine = tuple[int, Mapping[str, str]]
"""Number of a line and its cells by normalised header."""


@dataclass(frozen=True)
class Layout:
    """One layout of a table."""

    name: str
    needs: frozenset[str]
    """Required columns, by normalised header."""
    read_line: Callable[[NumberedLine, str, str], Iterator[PublishedCell]]
    """Convert one line to cells. Arguments: the line, the column with the model's name, the norm in the file
    name."""
    wide: bool = False

    def fits(self, columns: Sequence[str]) -> bool:
        """Return True if a file with these columns has this layout."""
        return self.needs <= set(columns) and (not self.wide or any(map(_WIDE.fullmatch, columns)))


def normalize_norm(text: str) -> str:
    """Return "Linf", "L1" or "L2" for any spelling of it, such as `l_inf`, `L∞` or `l2`; else the text itself."""
    plain = re.sub(r"[\s_-]+", "", text.lower()).replace("∞", "inf").replace("infinity", "inf")
    plain = plain.removesuffix("norm").replace("ℓ", "l").removeprefix("l")
    return {"inf": "Linf", "1": "L1", "2": "L2"}.get(plain, text)


def normalize_column(column: str) -> str:
    """Return a header in lower case with underscores: "top_1_accuracy" for "Top-1 Accuracy"."""
    return re.sub(r"[\s_-]+", "_", column.strip().lower())


def _read_tidy(line: NumberedLine, name: str, norm: str) -> Iterator[PublishedCell]:
    number, cells = line
    yield PublishedCell(
        number, cells[name], cells["attack"], normalize_norm(cells.get("norm", norm)), cells["eps"],
        cells["robust_accuracy"],
        cells.get("clean_accuracy", ""), cells.get("images", ""), cells.get("architecture", ""), "robust_accuracy",
    )  # fmt: skip


def _read_robustbench(line: NumberedLine, name: str, norm: str) -> Iterator[PublishedCell]:
    number, cells = line
    yield PublishedCell(
        number, cells[name], "AutoAttack", normalize_norm(cells.get("norm", norm)), cells["eps"],
        cells["aa"], cells["clean"],
        cells.get("images", ""), cells.get("arch", ""), "aa",
    )  # fmt: skip


def _read_long(line: NumberedLine, name: str, norm: str) -> Iterator[PublishedCell]:
    number, cells = line
    norm = normalize_norm(cells.get("threat_model", norm))
    for top, column in (("", "top_1_accuracy"), (_TOP5, "top_5_accuracy")):
        if column in cells:
            clean = column.replace("accuracy", "subset_clean_accuracy")
            yield PublishedCell(
                number, cells[name], f"AutoAttack {norm}{top}".replace("  ", " "), norm, cells["epsilon"],
                cells[column], cells.get(clean, ""), cells.get("images", ""), "", column,
            )  # fmt: skip


def _read_wide(line: NumberedLine, name: str, norm: str) -> Iterator[PublishedCell]:
    number, cells = line
    for column, text in cells.items():
        if match := _WIDE.fullmatch(column):
            top, norm, eps = match.groups()
            norm = normalize_norm(norm)
            yield PublishedCell(
                number, cells[name], f"AutoAttack {norm}{_TOP5 if top == '5' else ''}", norm, eps, text,
                cells.get(f"top_{top}_subset_clean_accuracy", ""), cells.get("images", ""), "", column,
            )  # fmt: skip


LAYOUTS = (
    Layout("tidy", frozenset({"attack", "eps", "robust_accuracy"}), _read_tidy),
    Layout("RobustBench’s", frozenset({"eps", "clean", "aa"}), _read_robustbench),
    Layout("long", frozenset({"epsilon", "top_1_accuracy"}), _read_long),
    Layout("wide", frozenset(), _read_wide, wide=True),
)
