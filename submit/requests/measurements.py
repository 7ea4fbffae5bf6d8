"""What finished pairs took, gathered from the outcomes of all runs of this site, each file read once."""

import json
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from statistics import median
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from alignsec import atomic, digest
from alignsec.catalogue import network_cost
from alignsec.run import outcome_file
from alignsec.run.outcome import Record
from alignsec.run.outcome_file import Damaged
from alignsec.schema import StrictModel
from alignsec.spec.attack import Attack, SearchPrecision
from alignsec.spec.pair import PairModel

NAME = ".measured.json"
VERSION = 1
NEWEST = 5000
"""Outcomes that are looked at, the newest: more tell no more, and an access point is no place to read them."""
LONG_ENOUGH_SECONDS = 5.0
"""Shorter searches tell of starting up, not of passes."""

Kind = Literal["cpu", "gpu"]


class Measurement(StrictModel):
    """What one finished pair took."""

    network: str
    """Digest of the source, its options and the input size."""
    attack: str
    """Digest of what is asked, without its name."""
    kind: Kind
    search: SearchPrecision
    compiled: bool = False
    images: int
    forward: int
    backward: int
    flops: int
    """Operations of all passes, by what is known of the network; 0 where that is not known exactly."""
    searching_seconds: float
    seconds: float
    """In all, with loading the model and the images."""
    peak_memory_mb: int | None = None
    peak_gpu_memory_mb: int | None = None


_FILES: TypeAdapter[dict[str, tuple[list[int], Measurement | None]]] = TypeAdapter(
    dict[str, tuple[list[int], Measurement | None]]
)


class Measurements:
    """Finished pairs, asked for what pairs to come will take. None is an answer: nothing like it was finished."""

    def __init__(self, taken: Iterable[Measurement]) -> None:
        self._count = 0
        self._passes: dict[str, list[tuple[float, float]]] = defaultdict(list)
        self._rates: dict[tuple[Kind, SearchPrecision, bool, str], list[float]] = defaultdict(list)
        self._speeds: dict[tuple[Kind, SearchPrecision, bool], list[float]] = defaultdict(list)
        self._starts: dict[Kind, list[float]] = defaultdict(list)
        self._peaks: dict[tuple[Kind, str, str], list[Measurement]] = defaultdict(list)
        # Asked once for each of 100,000 pairs, of a few models and attacks.
        self.passes_per_image = cache(self._passes_per_image)
        self._median = cache(self._median_of)
        for one in taken:
            self._take(one)

    def _take(self, one: Measurement) -> None:
        self._count += 1
        if one.images:
            self._passes[one.attack].append((one.forward / one.images, one.backward / one.images))
        if one.searching_seconds >= LONG_ENOUGH_SECONDS:
            rate = (one.forward + one.backward) / one.searching_seconds
            self._rates[one.kind, one.search, one.compiled, one.network].append(rate)
            if one.flops:
                self._speeds[one.kind, one.search, one.compiled].append(one.flops / one.searching_seconds)
        self._starts[one.kind].append(max(0.0, one.seconds - one.searching_seconds))
        self._peaks[one.kind, one.network, one.attack].append(one)

    def __len__(self) -> int:
        return self._count

    def _passes_per_image(self, attack: Attack) -> tuple[float, float] | None:
        """Forward and backward passes of an image under this attack: medians over models."""
        if not self._passes or not (same := self._passes.get(attack_digest(attack))):
            return None
        return median(forward for forward, _ in same), median(backward for _, backward in same)

    def passes_per_second(self, kind: Kind, model: PairModel, attack: Attack) -> float | None:
        """Of one model on a kind of device, as the attack computes, forward and backward passes alike."""
        key = (kind, attack.search, attack.compile, network_digest(model))
        return self._median("rates", key) if self._rates else None

    def flops_per_second(self, kind: Kind, attack: Attack) -> float | None:
        """Operations a second on a kind of device, as the attack computes: the median over all pairs."""
        return self._median("speeds", (kind, attack.search, attack.compile))

    def starting_seconds(self, kind: Kind) -> float | None:
        """Seconds a job takes beside its search."""
        return self._median("starts", kind)

    def _median_of(self, of: Literal["rates", "speeds", "starts"], key: Hashable) -> float | None:
        table: Mapping[Hashable, list[float]] = getattr(self, f"_{of}")
        values = table.get(key)
        return median(values) if values else None

    def peaks_mb(self, kind: Kind, model: PairModel, attack: Attack, images: int) -> tuple[int | None, int | None]:
        """The most memory, and memory of the GPU, that this model's jobs took under this attack, on as many images
        or more."""
        if not self._peaks:
            return None, None
        same = self._peaks.get((kind, network_digest(model), attack_digest(attack)), [])
        enough = [one for one in same if one.images >= images]
        return (
            max((one.peak_memory_mb for one in enough if one.peak_memory_mb), default=None),
            max((one.peak_gpu_memory_mb for one in enough if one.peak_gpu_memory_mb), default=None),
        )


def network_digest(model: PairModel) -> str:
    """What decides what a pass costs: weights do not."""
    return _network_digest(model.source, json.dumps(model.options, sort_keys=True), model.preprocessing.input_size)


@cache
def _network_digest(source: str, options: str, input_size: tuple[int, int, int]) -> str:
    return digest.sha256_of_json([source, options, input_size])[:16]


@cache
def attack_digest(attack: Attack) -> str:
    """What decides how many passes there are: its name does not."""
    return digest.sha256_of_json({key: value for key, value in attack.fingerprint.items() if key != "name"})[:16]


def gather(runs: Path) -> Measurements:
    """What the newest outcomes below a folder of runs tell; each is read once and then remembered there.

    Damaged outcomes and failures tell nothing. Raises OSError if the folder cannot be written.
    """
    known = _known(runs / NAME)
    found: dict[str, tuple[list[int], Measurement | None]] = {}
    for path in _newest(runs):
        stat = path.stat()
        stamp, name = [stat.st_size, stat.st_mtime_ns], path.relative_to(runs).as_posix()
        before = known.get(name)
        found[name] = before if before is not None and before[0] == stamp else (stamp, _taken(path))
    if found != known:
        content = {name: (stamp, one and one.model_dump()) for name, (stamp, one) in found.items()}
        atomic.write(runs / NAME, json.dumps({"schema_version": VERSION, "files": content}).encode())
    return Measurements(one for _, one in found.values() if one is not None)


def _newest(runs: Path) -> Iterator[Path]:
    paths = ((path.stat().st_mtime_ns, path) for path in runs.glob("*/outcomes/*.json"))
    yield from (path for _, path in sorted(paths, reverse=True)[:NEWEST])


def _known(path: Path) -> dict[str, tuple[list[int], Measurement | None]]:
    try:
        content = json.loads(path.read_bytes())
        return _FILES.validate_python(content["files"]) if content["schema_version"] == VERSION else {}
    except (OSError, ValueError, KeyError, TypeError, ValidationError):
        return {}


def _taken(path: Path) -> Measurement | None:
    try:
        record = outcome_file.read(path)
    except (OSError, Damaged):
        return None
    return measure_record(record) if isinstance(record, Record) else None


def measure_record(record: Record) -> Measurement:
    """What a finished pair took."""
    model, where = record.pair.model, record.provenance
    passes = [record.clean_passes, *(part for budget in record.budgets for part in budget.passes.values())]
    forward, backward = sum(one.forward for one in passes), sum(one.backward for one in passes)
    flops = (
        0
        if model.options
        else network_cost.estimate_cost(model.source, model.preprocessing.input_size, 0).forward_flops
    )
    return Measurement(
        network=network_digest(model),
        attack=attack_digest(record.pair.attack),
        kind="cpu" if where.device.startswith("CPU") else "gpu",
        search=record.pair.attack.search,
        compiled=record.pair.attack.compile,
        images=len(record.images),
        forward=forward,
        backward=backward,
        flops=(forward + backward) * flops,
        searching_seconds=sum(budget.seconds for budget in record.budgets),
        seconds=where.seconds,
        peak_memory_mb=where.peak_memory_mb,
        peak_gpu_memory_mb=where.peak_gpu_memory_mb,
    )
