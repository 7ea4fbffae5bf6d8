"""The table: one row per model, attack and budget of every pair that is ok, counted from its verdicts."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from alignsec.run.outcome import Record
from alignsec.spec.components import breakers
from alignsec.spec.verdicts import MENDED, ROBUST, BudgetVerdicts


@dataclass(frozen=True, slots=True)
class Row:
    """One model under one attack at one budget. Counts are images; shares lie in [0,1]."""

    model: str
    attack: str
    """All severities of a corruption are one attack."""
    method: str
    norm: str
    """Empty for the clean attack and corruptions."""
    eps: str
    """As the study wrote it; "0" for the clean attack; for a corruption its severity, such as "severity 3". Of the
    mean over corruptions (`aggregate.collect.corruptions`) all of them, and no count but that of images."""
    eps_value: float
    """In pixels of [0,1]; for a corruption its severity, 1 to 5."""
    corruption: str
    """Empty for every other attack."""
    severity: int | None
    images: int
    clean_correct: int
    clean_accuracy: float | None
    """None where there are no images; robust_accuracy too."""
    clean_low: float
    """The ends of the exact 95 % interval; robust_low and robust_high too."""
    clean_high: float
    clean_top5_correct: int | None
    """Images whose label is among the five highest logits when clean; None in outcomes that do not say."""
    clean_top5_accuracy: float | None
    robust: int
    """Images that are right under the attack; under a corruption, right when corrupted, whatever when clean."""
    robust_accuracy: float | None
    robust_low: float
    robust_high: float
    broken: tuple[int, ...]
    """Images that each of `alignsec.spec.components.breakers` broke; one column each."""
    mended: int
    """Wrong when clean and right when corrupted."""
    rejected: int
    largest_distance: float
    """In the attack's norm."""
    seconds: float
    """Of this budget's attack alone; loading and the clean pass are in the pair's own seconds."""
    forward_passes: int
    """Counted in images, of this budget's attack; for the clean attack, of the clean pass."""
    backward_passes: int
    deviations: str
    """From the standard attack, and the job's notes about the model; empty where there are none."""
    pair: str
    outcome_sha256: str


def count_rows(record: Record, outcome_sha256: str) -> Iterator[Row]:
    """The rows of one pair, its budgets in ascending order; every count is made anew from the verdicts."""
    attack = record.pair.attack
    images, clean = len(record.images), record.clean_correct
    clean_low, clean_high = exact_interval(clean, images)
    top5 = record.clean_top5_correct
    # Interned: hundreds of thousands of rows share a few of these, and so does what a reader's process sends.
    model, series, norm = (sys.intern(name) for name in (record.pair.model.name, attack.series, attack.norm or ""))
    deviations = sys.intern("; ".join((*attack.deviations, *record.notes)))
    for budget in record.budgets:
        level = attack.level(budget.eps)
        times = np.bincount(np.frombuffer(budget.verdicts.encode("ascii"), dtype=np.uint8), minlength=128).tolist()
        robust = times[ord(ROBUST)] + times[ord(MENDED)]
        broken = tuple(times[ord(breaker.letter)] for breaker in breakers())
        low, high = exact_interval(robust, images)
        forward, backward = _passes(record, budget)
        yield Row(
            model=model,
            attack=series,
            method=sys.intern(attack.method),
            norm=norm,
            eps=sys.intern(level.label),
            eps_value=level.value,
            corruption=attack.corruption or "",
            severity=attack.severity,
            images=images,
            clean_correct=clean,
            clean_accuracy=clean / images if images else None,
            clean_low=clean_low,
            clean_high=clean_high,
            clean_top5_correct=top5,
            clean_top5_accuracy=top5 / images if images and top5 is not None else None,
            robust=robust,
            robust_accuracy=robust / images if images else None,
            robust_low=low,
            robust_high=high,
            broken=broken,
            mended=times[ord(MENDED)],
            rejected=budget.rejected,
            largest_distance=budget.largest_distance,
            seconds=budget.seconds,
            forward_passes=forward,
            backward_passes=backward,
            deviations=deviations,
            pair=record.id,
            outcome_sha256=outcome_sha256,
        )


def _passes(record: Record, budget: BudgetVerdicts) -> tuple[int, int]:
    spent = list(budget.passes.values())
    if record.pair.attack.level_kind == "clean":
        spent.append(record.clean_passes)
    return sum(p.forward for p in spent), sum(p.backward for p in spent)


def column_names() -> list[str]:
    """Return the columns of table.csv: the fields of `Row`, with one column for each count in `broken`."""
    names = [field.name for field in fields(Row)]
    at = names.index("broken")
    return [*names[:at], *(breaker.column for breaker in breakers()), *names[at + 1 :]]


def make_frame(table: Iterable[Row]) -> pd.DataFrame:
    """Return the rows as a data frame in the given order. Without rows, it has the columns only."""
    found = list(table)
    data = records_to_frame(Row, found)
    for at, breaker in enumerate(breakers()):
        data[breaker.column] = pd.Series([row.broken[at] for row in found], dtype="int64" if found else None)
    # Whole numbers with gaps: as floats they would be written 9.0.
    return data[column_names()].astype({"clean_top5_correct": "Int64", "severity": "Int64"})


def records_to_frame(kind: type, things: Sequence[object]) -> pd.DataFrame:
    """Instances of a dataclass as a frame, a field a column: made by columns, hundreds of thousands are quick."""
    # Each list becomes a typed column before the next one is made: together they are most of the memory.
    made = {f.name: pd.Series([getattr(thing, f.name) for thing in things]) for f in fields(kind)}
    return pd.DataFrame(made if things else {name: [] for name in made}, copy=False)


def to_csv(data: pd.DataFrame) -> bytes:
    """A frame as the bytes of a CSV file: UTF-8, a header, empty where a value is missing."""
    text: str = data.to_csv(index=False, lineterminator="\n")
    return text.encode()


CONFIDENCE = 0.95


# One answer a pair of counts: a study of 100,000 pairs on 1,000 images asks for about a thousand of them.
@lru_cache(maxsize=65_536)
def exact_interval(successes: int, trials: int) -> tuple[float, float]:
    """The exact 95 % interval of a share, both ends in [0,1].

    Of no trials nothing is known: (0, 1). Raises ValueError unless 0 <= successes <= trials.
    Source: Clopper & Pearson 1934, Biometrika 26, 404-413.
    """
    if trials == 0 and successes == 0:
        return 0.0, 1.0
    interval = binomtest(successes, trials).proportion_ci(CONFIDENCE, method="exact")
    return float(interval.low), float(interval.high)
