"""Asks: what one pair's job asks HTCondor for, as its VARS line gives it to the description all pairs share."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from alignsec.run.folder import RunFolder
from alignsec.run.plan import Plan, PlannedPair
from submit import transfer as weight_transfer
from submit.images import transfer as image_transfer
from submit.requests import estimate
from submit.requests.estimate import Estimate, Sizes
from submit.requests.measurements import Kind, Measurements
from submit.site import Site

IMAGES = "images/"


@dataclass(frozen=True)
class ResourceRequests:
    """One job's requests: the estimate, and never less than the site's floor."""

    files: tuple[str, ...]
    """What its model is made of, and a corruption's own images: paths below the run folder, or addresses. The
    images that all pairs share stand in the description they share."""
    memory_mb: int
    larger_memory_mb: int
    """After it was held for memory."""
    disk_mb: int
    gpu_memory_mb: int
    estimate: Estimate

    @property
    def seconds(self) -> float:
        """Expected."""
        return self.estimate.seconds

    @property
    def macros(self) -> Mapping[str, str]:
        """By the names the shared description knows."""
        return {
            "files": ", ".join(self.files),
            "memory": str(self.memory_mb),
            "larger_memory": str(self.larger_memory_mb),
            "disk": str(self.disk_mb),
            "gpu_memory": str(self.gpu_memory_mb),
        }


def request_resources(
    plan: Plan, folder: RunFolder, site: Site, weights: Path, measured: Measurements
) -> dict[str, ResourceRequests]:
    """What each pair of a plan asks for, by its id. The run folder holds the files already.

    weights: the site's folder of staged ones. Raises OSError if a file is gone.
    """
    kind: Kind = "gpu" if site.request_gpus else "cpu"
    files = _Files(folder)
    return {planned.pair.id: _of(planned, plan, files, site, weights, measured, kind) for planned in plan.planned}


def _of(
    planned: PlannedPair,
    plan: Plan,
    files: "_Files",
    site: Site,
    weights: Path,
    measured: Measurements,
    kind: Kind,
) -> ResourceRequests:
    made = estimate.estimate_resources(
        planned.pair, files.of(planned), plan.image_count, measured, kind, site.request_cpus
    )
    return ResourceRequests(
        files=tuple(
            files.address(path, site, weights) for path in planned.inputs if path != f"{IMAGES}{plan.images.name}"
        ),
        memory_mb=max(site.request_memory_mb, made.memory_mb),
        larger_memory_mb=max(site.retry_request_memory_mb, 2 * made.memory_mb),
        disk_mb=max(site.request_disk_mb, made.disk_mb),
        gpu_memory_mb=max(site.gpus_minimum_memory_mb, made.gpu_memory_mb),
        estimate=made,
    )


class _Files:
    """The run folder's files, each looked at once."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self._code = folder.code.stat().st_size
        self._known: dict[str, int] = {}
        self._addresses: dict[str, str] = {}

    def of(self, planned: PlannedPair) -> Sizes:
        """Of what one pair's job is handed."""
        images = self._sum(path for path in planned.inputs if path.startswith(IMAGES))
        return Sizes(
            weights=self._sum(path for path in planned.inputs if not path.startswith(IMAGES)),
            images=images,
            code=self._code,
        )

    def address(self, path: str, site: Site, weights: Path) -> str:
        """What a transfer list says for one of them."""
        if path not in self._addresses:
            self._addresses[path] = (
                image_transfer.address(path.removeprefix(IMAGES), site)
                if path.startswith(IMAGES)
                else weight_transfer.address(self.folder.input(path), path, site, weights)
            )
        return self._addresses[path]

    def _sum(self, paths: Iterable[str]) -> int:
        return sum(self._bytes(path) for path in paths)

    def _bytes(self, path: str) -> int:
        if path not in self._known:
            self._known[path] = (self.folder.input(path)).stat().st_size
        return self._known[path]
