"""Resource requests of each pair's job, as the VARS line of its node passes them to the shared submit
description."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from alignsec.run.folder import RunFolder
from alignsec.run.plan import Plan
from submit import transfer
from submit.requests import estimate
from submit.requests.estimate import InputSizes, ResourceEstimate
from submit.requests.image_size import image_mb
from submit.requests.measurements import DeviceKind, Measurements
from submit.site import Site

IMAGES, OUTCOMES = "images/", "outcomes/"


@dataclass(frozen=True)
class ResourceRequests:
    """Resource requests of one job: the estimate, but at least the site's minimum."""

    files: tuple[str, ...]
    """The job's own inputs: its model's files, and a corruption's image pack. Each is a path relative to the run
    folder or a URL. The image pack that all pairs share is in the shared description."""
    memory_mb: int
    larger_memory_mb: int
    """Request after the job was held for memory."""
    disk_mb: int
    """Disk of the inputs, outputs and the container image."""
    larger_disk_mb: int
    """Request after the job was held for disk."""
    gpu_memory_mb: int
    estimate: ResourceEstimate

    @property
    def seconds(self) -> float:
        """Expected run time."""
        return self.estimate.seconds

    @property
    def node_vars(self) -> Mapping[str, str]:
        """Values of the node's VARS, by the macro names in the shared description."""
        return {
            "files": ", ".join(self.files),
            "memory": str(self.memory_mb),
            "larger_memory": str(self.larger_memory_mb),
            "disk": str(self.disk_mb),
            "larger_disk": str(self.larger_disk_mb),
            "gpu_memory": str(self.gpu_memory_mb),
        }


def request_resources(
    plan: Plan, folder: RunFolder, site: Site, weights: Path, measured: Measurements
) -> dict[str, ResourceRequests]:
    """Return the resource requests of each pair's job, by pair id.

    Args:
        plan: The run's plan.
        folder: The run folder, which already holds the input files.
        site: The site's settings.
        weights: The site's folder of staged weights.
        measured: Measurements of finished pairs.

    Raises:
        OSError: An input file is missing.
    """
    kind: DeviceKind = "gpu" if site.request_gpus else "cpu"
    files = _InputFiles(folder)
    image = image_mb(site)
    shared = f"{IMAGES}{plan.images.name}"
    requested = {}
    for planned in plan.planned:
        sizes, own = files.sizes(planned.inputs), [path for path in planned.inputs if path != shared]
        made = estimate.estimate_resources(
            planned.pair, sizes, plan.image_count, measured, kind, site.request_cpus
        )
        disk = max(site.request_disk_mb, made.disk_mb) + image
        requested[planned.pair.id] = ResourceRequests(
            files=tuple(files.source(path, site, weights) for path in own),
            memory_mb=max(site.request_memory_mb, made.memory_mb),
            larger_memory_mb=max(site.retry_request_memory_mb, 2 * made.memory_mb),
            disk_mb=disk,
            larger_disk_mb=2 * disk,
            gpu_memory_mb=max(site.gpus_minimum_memory_mb, made.gpu_memory_mb),
            estimate=made,
        )
    return requested


class _InputFiles:
    """Sizes and transfer sources of the run folder's input files, each determined once."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self._code = folder.code.stat().st_size
        self._sizes: dict[str, int] = {}
        self._input_sizes: dict[tuple[str, ...], InputSizes] = {}
        self._sources: dict[str, str] = {}

    def sizes(self, inputs: tuple[str, ...]) -> InputSizes:
        """Return the sizes of the inputs of one pair's job."""
        if inputs not in self._input_sizes:
            self._input_sizes[inputs] = InputSizes(
                weights=self._sum(path for path in inputs if not path.startswith((IMAGES, OUTCOMES))),
                images=self._sum(path for path in inputs if path.startswith((IMAGES, OUTCOMES))),
                code=self._code,
            )
        return self._input_sizes[inputs]

    def source(self, path: str, site: Site, weights: Path) -> str:
        """Return the entry of an input in a transfer list."""
        if path not in self._sources:
            self._sources[path] = (
                transfer.pack_source(path.removeprefix(IMAGES), site)
                if path.startswith(IMAGES)
                else transfer.weights_source(self.folder.input(path), path, site, weights)
            )
        return self._sources[path]

    def _sum(self, paths: Iterable[str]) -> int:
        return sum(self._bytes(path) for path in paths)

    def _bytes(self, path: str) -> int:
        if path not in self._sizes:
            self._sizes[path] = self.folder.input(path).stat().st_size
        return self._sizes[path]
