"""The tally: the content of all outcomes of a run that the analysis needs, collected in one pass over the
files."""

import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from aggregate.collect import reading
from aggregate.collect.reading import PROVENANCE_FIELDS, OutcomeSummary, PairCost
from aggregate.collect.table import Row
from aggregate.statistics.arrays import Bits
from alignsec.display import Display
from alignsec.run import status
from alignsec.run.event_log import EventLog
from alignsec.run.node_history import NodeHistory
from alignsec.run.plan import Plan
from alignsec.run.status import FEW_PAIRS, StatusName, read_outcomes
from alignsec.spec.pair import Pair


@dataclass(frozen=True, slots=True)
class PairRow:
    """One line of pairs.csv: a pair of the plan, or a stale outcome, which the plan no longer contains."""

    id: str
    model: str
    """Empty if a stale or damaged file does not name it; attack too."""
    attack: str
    state: StatusName
    reason: str
    """Empty if the pair is ok."""
    host: str = ""
    """Host of the job as stated in its outcome. The outcome states the next six fields too."""
    device: str = ""
    precision: str = ""
    code: str = ""
    container: str = ""
    started: str = ""
    """UTC, ISO 8601."""
    seconds: float | None = None
    """Time from the start to the end of the job."""
    tries: int = 0
    """Number of jobs of the pair; 0 outside a pool."""
    evictions: int = 0
    holds: str = ""
    """Hold reasons of its jobs, each of them once."""


@dataclass(slots=True)
class AttackCost:
    """Cost of all ok pairs of one attack. Passes are counted in images."""

    job_seconds: list[float] = field(default_factory=list)
    """Time from the start to the end of the job, one entry per pair."""
    forward: int = 0
    backward: int = 0
    rejected: int = 0
    """Adversarial examples that the float32 check rejected."""

    def add(self, cost: PairCost) -> None:
        """Add the cost of one pair."""
        self.job_seconds.append(cost.job_seconds)
        self.forward += cost.forward
        self.backward += cost.backward
        self.rejected += cost.rejected


@dataclass
class Tally:
    """Summary of a run's outcomes, without the component that broke each image."""

    rows: list[Row]
    """Rows of the ok pairs, in the plan's order."""
    robust: Mapping[tuple[str, str, str], Bits]
    """Packed bits of the robust images, by model, attack and eps as text; of the correctly classified images for
    the clean attack. One entry per row, in the same order. The row has the number of images. Entries with as many
    images as the plan have the same image at the same bit."""
    clean: Mapping[str, Bits]
    """Packed bits of the images that are correct without an attack, by model, from its first ok pair."""
    pairs: list[PairRow]
    """The pairs in the plan's order, then the stale outcomes by id."""
    costs: Mapping[str, AttackCost]
    """Cost by attack."""
    notes: Mapping[tuple[str, str], list[str]]
    """Models by attack and note of their jobs."""
    provenance: Mapping[str, Counter[str]]
    """Number of ok pairs by value, for each of PROVENANCE_FIELDS."""
    versions: Mapping[str, Counter[str]]
    """Number of ok pairs by version, for each library."""
    examples: Mapping[str, str]
    """SHA-256 of each file of kept adversarial examples, by the id of its pair."""
    other_counts: Counter[int]
    """Number of ok pairs by number of images, for numbers that differ from the plan's."""

    @property
    def states(self) -> Counter[StatusName]:
        """Number of pairs in each state."""
        return Counter(pair.state for pair in self.pairs)

    @property
    def planned(self) -> list[PairRow]:
        """The pairs of the plan."""
        return [pair for pair in self.pairs if pair.state != "stale"]

    @property
    def troubled(self) -> list[PairRow]:
        """The planned pairs whose jobs were held, evicted or retried, in any state."""
        return [pair for pair in self.planned if pair.holds or pair.evictions or pair.tries > 1]

    @property
    def not_ok(self) -> list[PairRow]:
        """The planned pairs that are failed or missing."""
        return [pair for pair in self.planned if pair.state != "ok"]


def read_tally(
    plan: Plan, outcomes: Path, events: EventLog, processes: int = 1, display: Display | None = None
) -> Tally:
    """Read every outcome file once and collect what the tables and the report need.

    Args:
        plan: The plan of the run.
        outcomes: Folder or tar archive of outcome files; if it does not exist, every pair is missing.
        events: HTCondor's event log of the run.
        processes: Number of reading processes. For a plan of at most `status.FEW_PAIRS` pairs, this process reads.
        display: Progress display.

    Raises:
        ConfigErrors: `outcomes` is an archive that cannot be read to its end.
    """
    display = display or Display()
    display.begin("reading outcomes", len(plan.planned), unit="outcomes")
    read_files = reading.read_parallel(
        reading.summarize_outcome, processes if len(plan.planned) > FEW_PAIRS else 1
    )
    collector = _Collector(plan)
    for pair_id, pair, summary in reading.convert_archive_errors(
        read_outcomes(plan, outcomes, read_files), outcomes
    ):
        display.advance()
        collector.pairs.append(_make_pair_row(pair_id, pair, summary, events.nodes.get(pair_id)))
        if summary is not None and summary.cost is not None:
            collector.add(summary, summary.cost)
    return collector.finish()


class _Collector:
    """The parts of a tally, in the order of the files until `finish` sorts them."""

    def __init__(self, plan: Plan) -> None:
        self.pairs: list[PairRow] = []
        self._plan = plan
        self._rows: list[Row] = []
        self._robust: dict[tuple[str, str, str], Bits] = {}
        self._clean: dict[str, Bits] = {}
        self._costs = {pair.attack.series: AttackCost() for pair in plan}
        self._notes: dict[tuple[str, str], list[str]] = {}
        self._provenance: dict[str, Counter[str]] = {name: Counter() for name in PROVENANCE_FIELDS}
        self._versions: dict[str, Counter[str]] = {}
        self._other_counts: Counter[int] = Counter()
        self._examples: dict[str, str] = {}

    def add(self, summary: OutcomeSummary, cost: PairCost) -> None:
        """Add the outcome of an ok pair."""
        series = summary.rows[0].attack
        self._rows.extend(summary.rows)
        for row, bits in zip(summary.rows, summary.robust, strict=True):
            self._robust[row.model, row.attack, row.eps] = np.frombuffer(bits, dtype=np.uint8)
        self._clean[summary.rows[0].pair] = np.frombuffer(summary.clean, dtype=np.uint8)
        self._costs[series].add(cost)
        if summary.examples:
            self._examples[summary.rows[0].pair] = summary.examples
        for note in summary.notes:
            self._notes.setdefault((series, note), []).append(summary.model)
        for name, value in zip(PROVENANCE_FIELDS, summary.provenance, strict=True):
            self._provenance[name][value] += 1
        for library, version in summary.versions:
            self._versions.setdefault(library, Counter())[version] += 1
        if (images := summary.rows[0].images) != self._plan.image_count:
            self._other_counts[images] += 1

    def finish(self) -> Tally:
        """Sort the parts and return the tally."""
        order = {pair.id: at for at, pair in enumerate(self._plan)}
        # Stable: the budgets of a pair keep their order.
        self._rows.sort(key=lambda row: order[row.pair])
        self.pairs.sort(key=lambda pair: (pair.state == "stale", order.get(pair.id, 0), pair.id))
        attacks = list(self._costs)
        notes = sorted(self._notes, key=lambda key: (attacks.index(key[0]), key[1]))
        clean: dict[str, Bits] = {}
        for row in self._rows:
            clean.setdefault(row.model, self._clean[row.pair])
        return Tally(
            rows=self._rows,
            clean=clean,
            robust={key: self._robust[key] for key in ((row.model, row.attack, row.eps) for row in self._rows)},
            pairs=self.pairs,
            costs=self._costs,
            notes={key: sorted(self._notes[key]) for key in notes},
            provenance={name: _sort_counter(counter) for name, counter in self._provenance.items()},
            versions={
                library: _sort_counter(self._versions[library])
                for library in sorted(self._versions, key=str.lower)
            },
            other_counts=self._other_counts,
            examples=self._examples,
        )


def _sort_counter(counter: Counter[str]) -> Counter[str]:
    """Sort by frequency, then by name, so that a report does not depend on the order of the files."""
    return Counter(dict(sorted(counter.items(), key=lambda item: (-item[1], item[0]))))


def _make_pair_row(
    pair_id: str, pair: Pair | None, summary: OutcomeSummary | None, history: NodeHistory | None
) -> PairRow:
    """Return the row of a pair: model and attack from the plan, or from the file if the outcome is stale."""
    missing = status.missing_status(pair_id, pair, history)
    reason = status.explain_death(summary.reason, history) if summary else missing.reason
    history = history or NodeHistory(pair_id)
    summary = summary or OutcomeSummary(missing.state, missing.reason, "", "")
    # Interned: most of 100,000 pairs share these values.
    provenance = (
        dict(zip(PROVENANCE_FIELDS, map(sys.intern, summary.provenance), strict=True))
        if summary.provenance
        else {}
    )
    return PairRow(
        id=pair_id,
        model=pair.model.name if pair else summary.model,
        attack=pair.attack.name if pair else summary.attack,
        state=summary.state,
        reason=reason,
        **provenance,
        started=summary.started,
        seconds=summary.seconds,
        tries=history.jobs,
        evictions=history.evictions,
        holds="; ".join(dict.fromkeys(hold.reason for hold in history.holds)),
    )
