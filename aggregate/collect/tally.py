"""The tally: everything the analysis keeps of a run's outcomes, gathered in one pass over their files."""

import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from aggregate.collect import reading
from aggregate.collect import reading as readers
from aggregate.collect.reading import PROVENANCE_FIELDS, OutcomeSummary, PairCost
from aggregate.collect.table import Row
from aggregate.statistics.arrays import Bits
from alignsec.display import Display
from alignsec.run import status
from alignsec.run.event_log import EventLog, NodeHistory
from alignsec.run.plan import Plan
from alignsec.run.status import FEW_PAIRS, StatusName, read_outcomes
from alignsec.spec.pair import Pair


@dataclass(frozen=True, slots=True)
class PairState:
    """One line of pairs.csv: a pair of the plan, or an outcome the plan no longer asks for (stale)."""

    id: str
    model: str
    """Empty where a stale or damaged file does not say; attack too."""
    attack: str
    state: StatusName
    reason: str
    """Empty where the pair is ok."""
    host: str = ""
    """Where the pair ran, as far as its outcome says; so are those below."""
    device: str = ""
    precision: str = ""
    code: str = ""
    container: str = ""
    started: str = ""
    """UTC, ISO 8601."""
    seconds: float | None = None
    """From the job's first line to its last."""
    tries: int = 0
    """Jobs it took; 0 outside a pool."""
    evictions: int = 0
    holds: str = ""
    """Why its jobs were held, each reason once."""


@dataclass(slots=True)
class AttackCost:
    """What the ok pairs of one attack took. Passes are counted in images."""

    job_seconds: list[float] = field(default_factory=list)
    """One a pair, from the job's first line to its last."""
    forward: int = 0
    backward: int = 0
    rejected: int = 0
    """Claims of an attack that the fp32 check did not confirm."""

    def add(self, spent: PairCost) -> None:
        """Count one pair in."""
        self.job_seconds.append(spent.job_seconds)
        self.forward += spent.forward
        self.backward += spent.backward
        self.rejected += spent.rejected


@dataclass
class Tally:
    """What a run's outcomes say, without who broke which image."""

    rows: list[Row]
    """Of ok pairs only, in the plan's order."""
    robust: Mapping[tuple[str, str, str], Bits]
    """Which images are robust, by model, attack and eps as text; for the clean attack, correctly classified ones.
    One entry a row, in the same order. The row says how many images; with as many as the plan has, bit i of every
    entry is the same image."""
    pairs: list[PairState]
    """The plan's pairs in its order, then the stale outcomes by id."""
    costs: Mapping[str, AttackCost]
    """By attack."""
    notes: Mapping[tuple[str, str], list[str]]
    """What jobs noted, by attack and note: the models it was noted of."""
    traces: Mapping[str, Counter[str]]
    """How many ok pairs share each code digest, container, precision, device and host."""
    versions: Mapping[str, Counter[str]]
    """How many ok pairs ran with each version of each library."""
    other_counts: Counter[int]
    """Ok pairs that were answered on another number of images than the plan has, by that number."""

    @property
    def states(self) -> Counter[StatusName]:
        """How many pairs are in each state."""
        return Counter(pair.state for pair in self.pairs)

    @property
    def planned(self) -> list[PairState]:
        """The pairs the plan asks for."""
        return [pair for pair in self.pairs if pair.state != "stale"]

    @property
    def troubled(self) -> list[PairState]:
        """The planned pairs whose jobs were held, evicted or tried again, whatever became of them."""
        return [pair for pair in self.planned if pair.holds or pair.evictions or pair.tries > 1]

    @property
    def not_ok(self) -> list[PairState]:
        """The planned pairs that are failed or missing."""
        return [pair for pair in self.planned if pair.state != "ok"]


def read_tally(
    plan: Plan, outcomes: Path, events: EventLog, processes: int = 1, display: Display | None = None
) -> Tally:
    """Read every outcome once, keeping what the tables and the report need.

    outcomes: a folder or a tar archive; where it does not exist every pair is missing. processes: how many read
    side by side; a plan of few pairs is read by this one alone, which is sooner done.
    Raises Mistakes if it is an archive that cannot be read to its end.
    """
    display = display or Display()
    display.begin("reading outcomes", len(plan.planned), unit="outcomes")
    look = readers.read_parallel(reading.summarize_outcome, processes if len(plan.planned) > FEW_PAIRS else 1)
    order = {pair.id: at for at, pair in enumerate(plan)}
    rows: list[Row] = []
    robust: dict[tuple[str, str, str], Bits] = {}
    pairs: list[PairState] = []
    costs = {pair.attack.series: AttackCost() for pair in plan}
    notes: dict[tuple[str, str], list[str]] = {}
    traces: dict[str, Counter[str]] = {name: Counter() for name in PROVENANCE_FIELDS}
    versions: dict[str, Counter[str]] = {}
    other_counts: Counter[int] = Counter()
    for pair_id, pair, found in readers.convert_archive_errors(read_outcomes(plan, outcomes, look), outcomes):
        display.advance()
        pairs.append(_state(pair_id, pair, found, events.nodes.get(pair_id)))
        if found is None or found.spent is None:
            continue
        series = found.rows[0].attack
        rows.extend(found.rows)
        for row, bits in zip(found.rows, found.robust, strict=True):
            robust[row.model, row.attack, row.eps] = np.frombuffer(bits, dtype=np.uint8)
        costs[series].add(found.spent)
        for note in found.notes:
            notes.setdefault((series, note), []).append(found.model)
        for name, value in zip(PROVENANCE_FIELDS, found.traces, strict=True):
            traces[name][value] += 1
        for library, version in found.versions:
            versions.setdefault(library, Counter())[version] += 1
        if (images := found.rows[0].images) != plan.image_count:
            other_counts[images] += 1
    rows.sort(key=lambda row: order[row.pair])  # stable: a pair's budgets stay in their order
    pairs.sort(key=lambda pair: (pair.state == "stale", order.get(pair.id, 0), pair.id))
    attacks = list(costs)
    return Tally(
        rows,
        {key: robust[key] for key in ((row.model, row.attack, row.eps) for row in rows)},
        pairs,
        costs,
        {key: sorted(notes[key]) for key in sorted(notes, key=lambda key: (attacks.index(key[0]), key[1]))},
        {name: _sorted(counter) for name, counter in traces.items()},
        {library: _sorted(versions[library]) for library in sorted(versions, key=str.lower)},
        other_counts,
    )


def _sorted(counter: Counter[str]) -> Counter[str]:
    """Most frequent first, ties by name: outcomes come in any order, a report in one."""
    return Counter(dict(sorted(counter.items(), key=lambda item: (-item[1], item[0]))))


def _state(
    pair_id: str, pair: Pair | None, found: OutcomeSummary | None, history: NodeHistory | None
) -> PairState:
    """A planned pair is named by the plan; a stale one by its file."""
    without = status.missing_status(pair_id, pair, history)
    history = history or NodeHistory(pair_id)
    # Interned: of 100,000 pairs most share these.
    ran = (
        dict(zip(PROVENANCE_FIELDS, map(sys.intern, found.traces), strict=True)) if found and found.traces else {}
    )
    return PairState(
        id=pair_id,
        model=pair.model.name if pair else found.model if found else "",
        attack=pair.attack.name if pair else found.attack if found else "",
        state=found.state if found else without.state,
        reason=found.reason if found else without.reason,
        **ran,
        started=found.started if found else "",
        seconds=found.seconds if found else None,
        tries=history.jobs,
        evictions=history.evictions,
        holds="; ".join(dict.fromkeys(hold.reason for hold in history.holds)),
    )
