"""The table: one row per model, attack and budget of every ok pair, with counts of its verdicts."""

import math
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache, partial

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from aggregate.statistics.audited import Estimate, estimate_accuracy, pool_strata, pooled_interval
from alignsec.run.outcome import Record
from alignsec.spec.audit_plan import StratumCounts, count_strata
from alignsec.spec.components import breakers
from alignsec.spec.deviations import describe_deviations
from alignsec.spec.verdicts import MENDED, ROBUST, UNAUDITED, BudgetVerdicts
from alignsec.spreadsheet import guard_text

AUDIT_COLUMNS = (
    *("near_survivors", "near_audited", "near_broken"),
    *("far_survivors", "far_audited", "far_broken"),
)
"""For each stratum: images that survived the screen, audited ones, and those that the audit broke."""
POOLED_COLUMNS = ("pooled_low", "pooled_high")
"""Interval of an audited attack's accuracy if all models break the same share of a stratum; empty otherwise."""
CONFIDENCE = 0.95
"""Confidence level of the intervals."""


@dataclass(frozen=True, slots=True)
class Row:
    """One model under one attack at one budget. Counts are numbers of images; shares are in [0,1]."""

    model: str
    attack: str
    """Name of the attack; all severities of a corruption have the same name."""
    method: str
    norm: str
    """Empty for the clean attack and for corruptions."""
    eps: str
    """The budget as text, as the study writes it; "0" for the clean attack; the severity of a corruption, such as
    "severity 3". The mean over corruptions (`aggregate.collect.corruptions`) has all severities here, and no
    counts except `images`."""
    eps_value: float
    """The budget in pixel values of [0,1]; the severity of a corruption, 1 to 5."""
    corruption: str
    """Type of the corruption; empty for other attacks."""
    severity: int | None
    images: int
    clean_correct: int
    clean_accuracy: float | None
    """None if there are no images; robust_accuracy too."""
    clean_low: float
    """Lower end of the exact 95 % interval. clean_high, robust_low and robust_high are ends of such intervals
    too."""
    clean_high: float
    clean_top5_correct: int | None
    """Images whose label is among the five highest logits when clean; None in outcomes without this count."""
    clean_top5_accuracy: float | None
    robust: int
    """Images that are right under the attack. Under a corruption: right when corrupted, and right or wrong when
    clean."""
    robust_accuracy: float | None
    robust_low: float
    robust_high: float
    broken: tuple[int, ...]
    """Images that each of `alignsec.spec.components.breakers` broke; one column per component."""
    mended: int
    """Images that are wrong when clean and right when corrupted."""
    rejected: int
    """Adversarial examples that the float32 check rejected."""
    largest_distance: float
    """Largest distance of an adversarial example, in the attack's norm."""
    seconds: float
    """Duration of the attack at this budget. Loading and the clean pass are part of the seconds of the pair
    only."""
    forward_passes: int
    """Forward passes of the attack at this budget, in images; for the clean attack, those of the clean pass."""
    backward_passes: int
    deviations: str
    """Deviations from the standard attack and the job's notes about the model; empty if there are none."""
    pair: str
    outcome_sha256: str
    audit: tuple[int, ...]
    """Counts of an audited attack, see AUDIT_COLUMNS; one column per count. Empty for other attacks. `robust` then
    includes the images that were not audited, and `robust_accuracy` is the estimate for the full attack."""
    robust_error: float | None
    """Standard error of `robust_accuracy` over samples of images, and over audits; None if there are no images."""


def count_rows(record: Record, outcome_sha256: str) -> Iterator[Row]:
    """Yield the rows of one pair, in ascending order of budgets, with counts computed from the verdicts.

    Args:
        record: Record of the pair.
        outcome_sha256: Digest of its outcome file.
    """
    attack = record.pair.attack
    images, clean = len(record.images), record.clean_correct
    clean_low, clean_high = exact_interval(clean, images)
    top5 = record.clean_top5_correct
    # Interned: hundreds of thousands of rows, and the messages of reading processes, share a few of these strings.
    make_row = partial(
        Row,
        model=sys.intern(record.pair.model.name),
        attack=sys.intern(attack.series),
        method=sys.intern(attack.method),
        norm=sys.intern(attack.norm or ""),
        corruption=attack.corruption or "",
        severity=attack.severity,
        images=images,
        clean_correct=clean,
        clean_accuracy=clean / images if images else None,
        clean_low=clean_low,
        clean_high=clean_high,
        clean_top5_correct=top5,
        clean_top5_accuracy=top5 / images if images and top5 is not None else None,
        deviations=sys.intern("; ".join((*describe_deviations(attack), *record.notes))),
        pair=record.id,
        outcome_sha256=outcome_sha256,
    )
    for budget in record.budgets:
        yield _count_budget(make_row, record, budget)


def _count_budget(make_row: Callable[..., Row], record: Record, budget: BudgetVerdicts) -> Row:
    """Return the row of one budget; `make_row` has the columns that all budgets of a pair share."""
    images, level = len(record.images), record.pair.attack.level(budget.eps)
    counts = np.bincount(np.frombuffer(budget.verdicts.encode("ascii"), dtype=np.uint8), minlength=128).tolist()
    robust = counts[ord(ROBUST)] + counts[ord(MENDED)] + counts[ord(UNAUDITED)]
    share = _estimate_share(record, budget, robust)
    forward, backward = _sum_passes(record, budget)
    return make_row(
        eps=sys.intern(level.label),
        eps_value=level.value,
        robust=robust,
        robust_accuracy=share.accuracy if images else None,
        robust_low=share.low,
        robust_high=share.high,
        robust_error=math.sqrt(share.variance) if images else None,
        audit=_count_audit(budget),
        broken=tuple(counts[ord(breaker.letter)] for breaker in breakers()),
        mended=counts[ord(MENDED)],
        rejected=budget.rejected,
        largest_distance=budget.largest_distance,
        seconds=budget.seconds,
        forward_passes=forward,
        backward_passes=backward,
    )


def is_audited(budget: BudgetVerdicts) -> bool:
    """Return whether only a sample of the survivors was searched in full at a budget."""
    return bool(budget.audit) and budget.eps.exact > 0


def _estimate_share(record: Record, budget: BudgetVerdicts, robust: int) -> Estimate:
    """Return the robust accuracy of a budget: counted, or estimated from an audit."""
    images = len(record.images)
    if images and is_audited(budget):
        return estimate_accuracy(images, tuple(count_strata(budget.audit, budget.verdicts).values()))
    share = robust / images if images else 0.0
    return Estimate(share, share * (1 - share) / max(images, 1), *exact_interval(robust, images))


def _count_audit(budget: BudgetVerdicts) -> tuple[int, ...]:
    if not is_audited(budget):
        return ()
    strata = count_strata(budget.audit, budget.verdicts).values()
    return tuple(count for one in strata for count in (one.survivors, one.audited, one.broken))


def _sum_passes(record: Record, budget: BudgetVerdicts) -> tuple[int, int]:
    passes = list(budget.passes.values())
    if record.pair.attack.level_kind == "clean":
        passes.append(record.clean_passes)
    return sum(p.forward for p in passes), sum(p.backward for p in passes)


def column_names() -> list[str]:
    """Return the columns of table.csv: the fields of `Row`, with one column for each count in `broken`."""
    names = [field.name for field in fields(Row)]
    more = {"broken": [breaker.column for breaker in breakers()], "audit": [*AUDIT_COLUMNS, *POOLED_COLUMNS]}
    return [column for name in names for column in more.get(name, [name])]


def make_frame(table: Iterable[Row]) -> pd.DataFrame:
    """Return the rows as a data frame in the given order. Without rows, it has the columns only."""
    rows = list(table)
    data = records_to_frame(Row, rows)
    for at, breaker in enumerate(breakers()):
        data[breaker.column] = pd.Series([row.broken[at] for row in rows], dtype="int64" if rows else None)
    for at, name in enumerate(AUDIT_COLUMNS):
        data[name] = pd.array([row.audit[at] if row.audit else None for row in rows], dtype="Int64")
    pooled = list(_pool_intervals(rows))
    for at, name in enumerate(POOLED_COLUMNS):
        data[name] = pd.Series([ends[at] for ends in pooled], dtype="float64")
    # Integers with missing values: as floats they would be written as 9.0.
    return data[column_names()].astype({"clean_top5_correct": "Int64", "severity": "Int64"})


def _pool_intervals(rows: Sequence[Row]) -> Iterator[tuple[float | None, float | None]]:
    """Yield the ends of each row's pooled interval; None for rows without an audit."""
    models: dict[tuple[str, str], list[list[StratumCounts]]] = {}
    for row in rows:
        if row.audit:
            models.setdefault((row.attack, row.eps), []).append(_read_strata(row.audit))
    pooled = {key: pool_strata(strata) for key, strata in models.items()}
    for row in rows:
        if row.audit:
            yield pooled_interval(row.images, _read_strata(row.audit), pooled[row.attack, row.eps])
        else:
            yield None, None


def _read_strata(counts: tuple[int, ...]) -> list[StratumCounts]:
    """Return the strata of a row, with all audited images as one part: pooling does not need the pilot."""
    return [StratumCounts(counts[at], 0, 0, counts[at + 1], counts[at + 2]) for at in range(0, len(counts), 3)]


def records_to_frame(kind: type, records: Sequence[object]) -> pd.DataFrame:
    """Return instances of a dataclass as a data frame with one column per field.

    Building the frame by columns keeps hundreds of thousands of records fast.

    Args:
        kind: The dataclass.
        records: Its instances.
    """
    # Each list becomes a typed column before the next list is built: together the lists need most of the memory.
    series = {f.name: pd.Series([getattr(record, f.name) for record in records]) for f in fields(kind)}
    return pd.DataFrame(series if records else {name: [] for name in series}, copy=False)


def to_csv(data: pd.DataFrame) -> bytes:
    """Return the bytes of a CSV file in UTF-8 with a header; missing values are empty.

    Text that a spreadsheet would run as a formula gets a single quote in front; numbers are unchanged.
    """
    words = [name for name in data.columns if not pd.api.types.is_numeric_dtype(data[name])]
    guarded = {
        name: data[name].map(lambda cell: guard_text(cell) if isinstance(cell, str) else cell) for name in words
    }
    text: str = data.assign(**guarded).to_csv(index=False, lineterminator="\n")
    return text.encode()


# Cached: a study of 100,000 pairs on 1,000 images needs about a thousand different intervals.
@lru_cache(maxsize=65_536)
def exact_interval(successes: int, trials: int) -> tuple[float, float]:
    """Return the exact 95 % interval of a share, with both ends in [0,1]; (0, 1) without trials.

    Raises:
        ValueError: Not 0 <= successes <= trials.

    Reference:
        Clopper & Pearson 1934, Biometrika 26, 404-413.
    """
    if trials == 0 and successes == 0:
        return 0.0, 1.0
    interval = binomtest(successes, trials).proportion_ci(CONFIDENCE, method="exact")
    return float(interval.low), float(interval.high)
