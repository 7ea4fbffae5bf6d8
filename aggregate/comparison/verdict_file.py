"""Verdict files: the verdicts of another tool, as a CSV file with one row per image, to compare with a run.

The columns are those of `aggregate.exports.verdict_table`, of which only `NEEDED` are required. A row may come
from any program, so every error is reported with its line.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from aggregate.comparison.agreement import UNKNOWN_BREAKER, UNKNOWN_LABEL
from aggregate.comparison.runs import BudgetResult, PairKey, PairResult, Run
from aggregate.exports.verdict_table import NEEDED
from alignsec.errors import ConfigError, ConfigErrors
from alignsec.spec.components import breakers
from alignsec.spec.verdicts import MENDED, ROBUST, UNAUDITED, WRONG
from alignsec.spreadsheet import unguard_text

_MAX_ERRORS = 20
_BOOLEANS = {
    "true": True,
    "1": True,
    "1.0": True,
    "yes": True,
    "false": False,
    "0": False,
    "0.0": False,
    "no": False,
}
_LETTERS = {breaker.name: breaker.letter for breaker in breakers()}


@dataclass(frozen=True)
class _Verdict:
    image: str
    label: int
    letter: str


@dataclass
class _Budget:
    """The rows of one model, attack and eps."""

    eps: str
    verdicts: dict[str, _Verdict] = field(default_factory=dict)


def read_verdict_file(path: Path) -> Run:
    """Read a CSV file of verdicts as a run.

    A row without a label has an unknown label, and one without `clean_correct` counts as right when clean. Without
    the name of a component in `broken_by`, the component is unknown.

    Raises:
        ConfigErrors: The file is invalid; it lists the errors with their lines.
        OSError: The file cannot be read.
    """
    pairs: dict[PairKey, dict[Fraction, _Budget]] = {}
    errors: list[ConfigError] = []
    for number, line in _read_lines(path):
        try:
            _add_row(pairs, line)
        except ValueError as why:
            errors.append(ConfigError(path=path, field=f"line {number}", remedy=str(why)))
            if len(errors) == _MAX_ERRORS:
                break
    results = {} if errors else {key: _make_result(path, key, budgets, errors) for key, budgets in pairs.items()}
    if not results and not errors:
        errors.append(ConfigError(path=path, remedy="has no verdicts; expected one row per image"))
    if errors:
        raise ConfigErrors(errors)
    return Run(path, path.name, results, {}, {}, 0)


def _read_lines(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the number and the cells of each line."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as text:
            reader = csv.DictReader(text, restval="", restkey="")
            header = reader.fieldnames or ()
            if missing := [name for name in NEEDED if name not in header]:
                remedy = f"has no column {', '.join(missing)}; expected {', '.join(NEEDED)}, see docs/exports.md"
                raise ConfigErrors.about(path, remedy)
            for number, line in enumerate(reader, 2):
                yield number, {name: unguard_text(str(cell).strip()) for name, cell in line.items()}
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigErrors.about(path, f"is not a CSV file in UTF-8: {error}") from None


def _add_row(pairs: dict[PairKey, dict[Fraction, _Budget]], line: dict[str, str]) -> None:
    """Add one row; raise ValueError if it is invalid."""
    if empty := [name for name in NEEDED if not line[name] and name != "robust"]:
        raise ValueError(f"{', '.join(empty)} is empty; fill it in")
    eps = _read_eps(line["eps"])
    try:
        label = int(line.get("label") or UNKNOWN_LABEL)
    except ValueError:
        raise ValueError(f"label is {line['label']}; expected an integer") from None
    budgets = pairs.setdefault((line["model"], line["attack"]), {})
    budget = budgets.setdefault(eps, _Budget(line.get("level") or line["eps"]))
    image = line["image"]
    if image in budget.verdicts:
        raise ValueError(f"repeats image {image} of this model, attack and eps; keep one row per image")
    budget.verdicts[image] = _Verdict(image, label, _find_letter(line))


def _read_eps(text: str) -> Fraction:
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise ValueError(
            f"eps is {text}; expected a number or a fraction in pixels of [0,1], such as 8/255"
        ) from None


def _find_letter(line: dict[str, str]) -> str:
    """Return the verdict of a row."""
    robust, clean = (_read_boolean(line, name) for name in ("robust", "clean_correct"))
    if clean is False:
        return MENDED if robust else WRONG
    if robust is None:
        # alignsec's own table leaves it empty for images that an audit did not search in full.
        if line.get("verdict") != UNAUDITED:
            raise ValueError("robust is empty; expected true or false")
        return UNAUDITED
    if robust:
        return ROBUST
    return _LETTERS.get(line.get("broken_by", ""), UNKNOWN_BREAKER)


def _read_boolean(line: dict[str, str], name: str) -> bool | None:
    text = line.get(name, "").lower()
    if text and text not in _BOOLEANS:
        raise ValueError(f"{name} is {text}; expected true or false")
    return _BOOLEANS[text] if text else None


def _make_result(
    path: Path, key: PairKey, budgets: dict[Fraction, _Budget], errors: list[ConfigError]
) -> PairResult:
    """Return the result of a model under an attack; add an error if its budgets have other images."""
    first = next(iter(budgets.values())).verdicts
    results = {}
    for eps, budget in budgets.items():
        if budget.verdicts.keys() != first.keys():
            remedy = f"has other images at eps {budget.eps}; expected the same images at every eps"
            errors.append(ConfigError(path=path, given=" × ".join(key), remedy=remedy))
            continue
        letters = "".join(budget.verdicts[image].letter for image in first)
        results[eps] = BudgetResult(key[1], budget.eps, letters)
    return PairResult(results, tuple(first), tuple(one.label for one in first.values()), {})
