"""The tally: everything the analysis keeps of a run's outcomes, gathered in one pass over their files."""

import lzma
import sys
import tarfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from aggregate import table
from aggregate.table import Row
from alignsec.event_log import EventLog, NodeHistory
from alignsec.mistake import Mistake, Mistakes
from alignsec.outcome import MENDED, ROBUST, Record
from alignsec.pair import Pair
from alignsec.run_folder import Plan
from alignsec.status import PairStatus, State, survey


@dataclass(frozen=True, slots=True)
class PairState:
    """One line of pairs.csv: a pair of the plan, or an outcome the plan no longer asks for (stale)."""

    id: str
    model: str
    """Empty where a stale or damaged file does not say; attack too."""
    attack: str
    state: State
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
class Cost:
    """What the ok pairs of one attack took. Passes are counted in images."""

    job_seconds: list[float] = field(default_factory=list)
    """One a pair, from the job's first line to its last."""
    forward: int = 0
    backward: int = 0
    rejected: int = 0
    """Claims of an attack that the fp32 check did not confirm."""

    def add(self, record: Record) -> None:
        """Count one pair in."""
        spent = [record.clean_passes, *(p for budget in record.budgets for p in budget.passes.values())]
        self.job_seconds.append(record.provenance.seconds)
        self.forward += sum(passes.forward for passes in spent)
        self.backward += sum(passes.backward for passes in spent)
        self.rejected += sum(budget.rejected for budget in record.budgets)


Bits = npt.NDArray[np.uint8]
"""One bit an image, in pack order, eight to a byte; `np.unpackbits(bits, count=images)` takes them apart."""

TRACES = ("code", "container", "precision", "device", "host")


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
    costs: Mapping[str, Cost]
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
    def states(self) -> Counter[State]:
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


def take(plan: Plan, outcomes: Path, events: EventLog) -> Tally:
    """Read every outcome once, keeping what the tables and the report need.

    outcomes: a folder or a tar archive; where it does not exist every pair is missing.
    Raises Mistakes if it is an archive that cannot be read to its end.
    """
    order = {pair.id: at for at, pair in enumerate(plan)}
    rows: list[Row] = []
    robust: dict[tuple[str, str, str], Bits] = {}
    pairs: list[PairState] = []
    costs = {pair.attack.series: Cost() for pair in plan}
    notes: dict[tuple[str, str], list[str]] = {}
    traces: dict[str, Counter[str]] = {name: Counter() for name in TRACES}
    versions: dict[str, Counter[str]] = {}
    other_counts: Counter[int] = Counter()
    for status in _whole(survey(plan, outcomes, events), outcomes):
        pairs.append(_state(status, status.pair))
        record = status.record
        if record is None or status.state != "ok":
            continue
        attack = record.pair.attack.series
        rows.extend(table.rows(record, status.outcome_sha256))
        for budget in record.budgets:
            level, _ = record.pair.attack.level(budget.eps)
            robust[record.pair.model.name, attack, level] = _robust(budget.verdicts)
        costs[attack].add(record)
        for note in dict.fromkeys(record.notes):
            notes.setdefault((attack, note), []).append(record.pair.model.name)
        for name in TRACES:
            traces[name][getattr(record.provenance, name)] += 1
        for library, version in record.provenance.versions.items():
            versions.setdefault(library, Counter())[version] += 1
        if len(record.images) != plan.image_count:
            other_counts[len(record.images)] += 1
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


def _robust(verdicts: str) -> Bits:
    letters = np.frombuffer(verdicts.encode("ascii"), dtype=np.uint8)
    return np.packbits((letters == ord(ROBUST)) | (letters == ord(MENDED)))


def _sorted(counter: Counter[str]) -> Counter[str]:
    """Most frequent first, ties by name: outcomes come in any order, a report in one."""
    return Counter(dict(sorted(counter.items(), key=lambda item: (-item[1], item[0]))))


def _state(status: PairStatus, pair: Pair | None) -> PairState:
    model, attack = (pair.model.name, pair.attack.name) if pair else ("", "")
    answer = status.record or status.failure
    ran = answer.provenance if answer else None
    history = status.history or NodeHistory(status.id)
    holds = "; ".join(dict.fromkeys(hold.reason for hold in history.holds))
    reason = status.reason
    state = PairState(
        status.id,
        model,
        attack,
        status.state,
        reason,
        tries=history.jobs,
        evictions=history.evictions,
        holds=holds,
    )
    if ran is None:
        return state
    # Interned: of 100,000 pairs most share these.
    code, container, precision, device, host = (sys.intern(getattr(ran, name)) for name in TRACES)
    return replace(
        state, host=host, device=device, precision=precision, code=code, container=container,
        started=ran.started, seconds=ran.seconds,
    )  # fmt: skip


def _whole(statuses: Iterable[PairStatus], outcomes: Path) -> Iterator[PairStatus]:
    """The statuses, or a Mistake if the archive they come from ends too early or is none."""
    try:
        yield from statuses
    except (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError) as error:
        why = str(error).partition("\n")[0].rstrip(":")
        remedy = f"is neither a folder nor a whole tar archive ({why}); was its transfer cut short?"
        raise Mistakes([Mistake(str(outcomes), "", "", remedy)]) from None
