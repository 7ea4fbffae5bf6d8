"""Measurements of finished pairs, from the outcomes of all runs of this site. Each outcome file is read once."""

import json
import os
import stat
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from statistics import median
from typing import Literal

from alignsec import atomic, digest
from alignsec.catalogue import network_cost
from alignsec.names import find_forbidden
from alignsec.run import outcome_file
from alignsec.run.outcome import Record
from alignsec.run.outcome_file import DamagedOutcomeError
from alignsec.schema import StrictModel
from alignsec.spec.attack import Attack, SearchPrecision
from alignsec.spec.pair import PairModel
from submit.cache_file import read_cache

MEASUREMENTS_FILE = ".measured.json"
VERSION = 1
NEWEST = 5000
"""Number of outcomes that are read, the newest first. More would not improve the estimates, and an access point is
not meant for reading them."""
LONG_ENOUGH_SECONDS = 5.0
"""The rate of passes is measured in searches of at least this duration; start-up dominates shorter ones."""

DeviceKind = Literal["cpu", "gpu"]
_MedianTable = Literal["rates", "speeds", "starts"]


class Measurement(StrictModel):
    """Time, passes and memory of one finished pair."""

    network: str
    """Digest of the model's source, options and input size."""
    attack: str
    """Digest of the attack without its name."""
    kind: DeviceKind
    search: SearchPrecision
    compiled: bool = False
    images: int
    forward: int
    backward: int
    flops: int
    """Operations of all passes; 0 if the network's operations are not known exactly."""
    searching_seconds: float
    seconds: float
    """Total time of the job, including loading the model and the images."""
    peak_memory_mb: int | None = None
    peak_gpu_memory_mb: int | None = None


class _MeasurementsFile(StrictModel):
    """The content of MEASUREMENTS_FILE."""

    schema_version: Literal[1]
    files: dict[str, tuple[list[int], Measurement | None]]
    """Size and time of change of each outcome, and its measurement; None if it has none."""


class Measurements:
    """Measurements of finished pairs, which answer queries about pairs that will run.

    A query returns None if no comparable pair has finished.

    Args:
        measured: The measurements.
    """

    def __init__(self, measured: Iterable[Measurement]) -> None:
        self._count = 0
        self._passes: dict[str, list[tuple[float, float]]] = defaultdict(list)
        self._rates: dict[tuple[DeviceKind, SearchPrecision, bool, str], list[float]] = defaultdict(list)
        self._speeds: dict[tuple[DeviceKind, SearchPrecision, bool], list[float]] = defaultdict(list)
        self._starts: dict[DeviceKind, list[float]] = defaultdict(list)
        self._peaks: dict[tuple[DeviceKind, str, str], list[Measurement]] = defaultdict(list)
        # Cached, because up to 100,000 pairs of a few models and attacks ask.
        self.passes_per_image = cache(self._passes_per_image)
        self._median = cache(self._compute_median)
        for one in measured:
            self._add(one)

    def _add(self, one: Measurement) -> None:
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
        """Return the forward and backward passes of an image under an attack, as medians over models."""
        if not self._passes or not (same := self._passes.get(attack_digest(attack))):
            return None
        return median(forward for forward, _ in same), median(backward for _, backward in same)

    def passes_per_second(self, kind: DeviceKind, model: PairModel, attack: Attack) -> float | None:
        """Return the passes per second of a model on a device with the attack's precision and compilation.

        Forward and backward passes count the same.
        """
        key = (kind, attack.search, attack.compile, network_digest(model))
        return self._median("rates", key) if self._rates else None

    def flops_per_second(self, kind: DeviceKind, attack: Attack) -> float | None:
        """Return the operations per second of a device with the attack's precision and compilation.

        The value is the median over all pairs.
        """
        return self._median("speeds", (kind, attack.search, attack.compile))

    def starting_seconds(self, kind: DeviceKind) -> float | None:
        """Return the seconds that a job takes in addition to its search."""
        return self._median("starts", kind)

    def _compute_median(self, table: _MedianTable, key: Hashable) -> float | None:
        by_key: Mapping[Hashable, list[float]] = getattr(self, f"_{table}")
        values = by_key.get(key)
        return median(values) if values else None

    def peaks_mb(
        self, kind: DeviceKind, model: PairModel, attack: Attack, images: int
    ) -> tuple[int | None, int | None]:
        """Return the peak memory and peak GPU memory of a model's jobs under an attack, in MB.

        Only jobs with at least `images` images count.
        """
        if not self._peaks:
            return None, None
        same = self._peaks.get((kind, network_digest(model), attack_digest(attack)), [])
        enough = [one for one in same if one.images >= images]
        return (
            max((one.peak_memory_mb for one in enough if one.peak_memory_mb), default=None),
            max((one.peak_gpu_memory_mb for one in enough if one.peak_gpu_memory_mb), default=None),
        )


def network_digest(model: PairModel) -> str:
    """Return a digest of everything that determines the cost of a pass; the weights do not."""
    return _network_digest(model.source, json.dumps(model.options, sort_keys=True), model.preprocessing.input_size)


@cache
def _network_digest(source: str, options: str, input_size: tuple[int, int, int]) -> str:
    return digest.sha256_of_json([source, options, input_size])[:16]


@cache
def attack_digest(attack: Attack) -> str:
    """Return a digest of everything that determines the number of passes; the attack's name does not."""
    return digest.sha256_of_json({key: value for key, value in attack.fingerprint.items() if key != "name"})[:16]


def read_measurements(runs: Path) -> Measurements:
    """Return the measurements of the newest outcomes of all runs.

    Each outcome is read once; its measurement is then kept in MEASUREMENTS_FILE. Damaged outcomes and failures are
    skipped.

    Args:
        runs: The folder of run folders.

    Raises:
        OSError: The folder cannot be written.
    """
    kept = _read_kept(runs / MEASUREMENTS_FILE)
    current: dict[str, tuple[list[int], Measurement | None]] = {}
    for path, found in _newest_outcomes(runs):
        stamp, name = [found.st_size, found.st_mtime_ns], path.relative_to(runs).as_posix()
        before = kept.get(name)
        if before is None or before[0] != stamp:
            before = stamp, _read_measurement(path)
        current[name] = before
    if current != kept:
        files = {name: (stamp, one and one.model_dump()) for name, (stamp, one) in current.items()}
        content = json.dumps({"schema_version": VERSION, "files": files})
        atomic.write_atomic(runs / MEASUREMENTS_FILE, content.encode())
    return Measurements(one for _, one in current.values() if one is not None)


def _newest_outcomes(runs: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Yield the newest files; a directory, link or pipe, or a name that JSON cannot hold, has no measurement."""
    paths = (path for path in runs.glob("*/outcomes/*.json") if not find_forbidden(str(path.relative_to(runs))))
    files = [(path, found) for path in paths if stat.S_ISREG((found := path.lstat()).st_mode)]
    yield from sorted(files, key=lambda file: (file[1].st_mtime_ns, file[0]), reverse=True)[:NEWEST]


def _read_kept(path: Path) -> dict[str, tuple[list[int], Measurement | None]]:
    content = read_cache(path, _MeasurementsFile, VERSION)
    return content.files if content else {}


def _read_measurement(path: Path) -> Measurement | None:
    try:
        record = outcome_file.read(path)
    except (OSError, DamagedOutcomeError):
        return None
    return measure_record(record) if isinstance(record, Record) else None


def measure_record(record: Record) -> Measurement:
    """Return the measurement of a finished pair."""
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
