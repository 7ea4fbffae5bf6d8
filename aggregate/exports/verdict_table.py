"""Verdict table: one row per model, attack, budget and image, as CSV. docs/exports.md describes the columns.

Other tools can write the same table for `make compare`: it needs only `NEEDED`.
"""

from collections.abc import Iterator

from alignsec.run.outcome import Record
from alignsec.spec.components import breakers
from alignsec.spec.verdicts import MENDED, ROBUST, UNAUDITED, WRONG, BudgetVerdicts

NEEDED = ("model", "attack", "eps", "image", "robust")
COLUMNS = (
    *("model", "attack", "eps", "level", "norm", "method"),
    *("image", "label", "clean_correct", "robust", "verdict", "broken_by", "distance", "pair"),
)
_BREAKERS = {breaker.letter: breaker.name for breaker in breakers()}

Row = tuple[object, ...]


def list_rows(record: Record) -> Iterator[Row]:
    """Yield the rows of a record, in the order of its budgets and images; see COLUMNS."""
    attack = record.pair.attack
    for budget in record.budgets:
        exact = budget.eps.exact
        eps = str(exact)
        level, distances = attack.level(budget.eps).label, _list_distances(budget)
        shared = (record.pair.model.name, attack.name, eps, level, attack.norm or "", attack.method)
        for at, (image, label) in enumerate(zip(record.images, record.labels, strict=True)):
            letter = budget.verdicts[at]
            yield (
                *shared,
                image,
                label,
                _to_text(letter not in {WRONG, MENDED}),
                "" if letter == UNAUDITED else _to_text(letter in {ROBUST, MENDED}),
                letter,
                _BREAKERS.get(letter, ""),
                distances.get(at, ""),
                record.id,
            )


def _list_distances(budget: BudgetVerdicts) -> dict[int, float]:
    """Return the recorded distance of each broken image, by the image's index."""
    broken = [at for at, letter in enumerate(budget.verdicts) if letter in _BREAKERS]
    return dict(zip(broken, budget.broken_at_distance, strict=False))


def _to_text(value: bool) -> str:
    return "true" if value else "false"
