"""Machines of a pool, from one query of its collector, and which of them can run a study's jobs.

Reference: HTCondor manual, "Machine ClassAd Attributes" and "Managing GPUs".
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alignsec.catalogue import cuda_archs
from alignsec.errors import ConfigError, nearest
from submit.condor.submission import CondorCommand
from submit.site import Site
from submit.sites.machine_attributes import STANDARD, referred_attributes

QUERY = ("condor_status", "-json", "-constraint", 'SlotType =!= "Dynamic"')
ARCHITECTURE = "X86_64"
"""Architecture of the container image and of torch's wheels."""
Ad = Mapping[str, Any]


@dataclass(frozen=True)
class LargestRequests:
    """The largest requests of a study's jobs."""

    memory_mb: int
    disk_mb: int
    gpu_memory_mb: int


@dataclass(frozen=True)
class Requirement:
    """A requirement of a job on a machine."""

    name: str
    """What is required, as text for a message."""
    setting: str
    """The setting that lowers it."""
    met_by: Callable[[Ad], bool]


def query_machines(run: CondorCommand) -> list[Ad]:
    """Return the ads of a pool's machines, without dynamic slots.

    Args:
        run: Runs a command of HTCondor.

    Raises:
        ValueError: The collector does not answer; the message is its error.
    """
    done = run(list(QUERY), check=False)
    if done.returncode:
        raise ValueError(" ".join(done.stderr.split()) or "condor_status failed")
    ads: list[Ad] = json.loads(done.stdout) if done.stdout.strip() else []
    return ads


def find_errors(ads: Sequence[Ad], site: Site, largest: LargestRequests, path: Path) -> list[ConfigError]:
    """Return an error if no machine can run the study's jobs, and one for each unknown attribute.

    Args:
        ads: The pool's machines.
        site: The site's settings.
        largest: The largest requests of the study's jobs.
        path: The `.env` file.
    """
    if not ads:
        return [ConfigError(path=path, field="SITE", given=f'"{site.site}"', remedy="the pool has no machines")]
    errors = _unknown_attributes(ads, site, path)
    requirements = list_requirements(site, largest)
    for requirement in requirements:
        met = sum(requirement.met_by(ad) for ad in ads)
        if not met:
            value = getattr(site, requirement.setting.lower())
            given = "" if value is None else str(value)
            remedy = (
                f"needs {requirement.name}, which none of the pool's {len(ads)} machines has; lower it, or ask for"
            )
            errors.append(
                ConfigError(
                    path=path, field=requirement.setting, given=f'"{given}"', remedy=f"{remedy} another pool"
                )
            )
    if not errors and not any(all(one.met_by(ad) for one in requirements) for ad in ads):
        counts = "; ".join(f"{one.name}: {sum(one.met_by(ad) for ad in ads)}" for one in requirements)
        remedy = f"no machine meets all requirements at once; machines that meet each: {counts}"
        errors.append(ConfigError(path=path, field="REQUIREMENTS", given=f'"{site.requirements}"', remedy=remedy))
    return errors


def count_matching(ads: Iterable[Ad], site: Site, largest: LargestRequests) -> int:
    """Return the number of machines that meet all requirements of the jobs except REQUIREMENTS."""
    requirements = list_requirements(site, largest)
    return sum(all(one.met_by(ad) for one in requirements) for ad in ads)


def list_requirements(site: Site, largest: LargestRequests) -> list[Requirement]:
    """Return what a job of the study requires of a machine."""
    found = [
        Requirement(
            f"the architecture {ARCHITECTURE}", "CONTAINER_IMAGE", lambda ad: ad.get("Arch") == ARCHITECTURE
        ),
        _at_least("CPUs", "REQUEST_CPUS", ("TotalSlotCpus", "Cpus"), site.request_cpus),
        _at_least("MB of memory", "REQUEST_MEMORY_MB", ("TotalSlotMemory", "Memory"), largest.memory_mb),
        _at_least("KiB of disk", "REQUEST_DISK_MB", ("TotalSlotDisk", "Disk"), largest.disk_mb * 1024),
    ]
    if site.docker_universe:
        found.append(Requirement("docker", "DOCKER_UNIVERSE", lambda ad: ad.get("HasDocker") is True))
    elif site.container_image:
        found.append(Requirement("containers", "CONTAINER_IMAGE", _runs_containers))
    if site.request_gpus:
        found += _gpu_requirements(site, largest)
    return found


def _at_least(unit: str, setting: str, names: Sequence[str], least: float) -> Requirement:
    def met_by(ad: Ad) -> bool:
        values = [ad[name] for name in names if isinstance(ad.get(name), int | float)]
        return max(values, default=0) >= least

    return Requirement(f"{least:g} {unit}", setting, met_by)


def _runs_containers(ad: Ad) -> bool:
    return any(ad.get(name) is True for name in ("HasContainer", "HasSingularity", "HasDocker"))


def _gpu_requirements(site: Site, largest: LargestRequests) -> list[Requirement]:
    capability = (
        cuda_archs.LOWEST_CAPABILITY if site.gpus_minimum_capability is None else site.gpus_minimum_capability
    )
    runtime = cuda_archs.RUNTIME if site.gpus_minimum_runtime is None else site.gpus_minimum_runtime
    major, _, minor = str(runtime).partition(".")
    version = 1000 * int(major) + 10 * int(minor or 0)
    memory = max(largest.gpu_memory_mb, site.gpus_minimum_memory_mb)
    return [
        _gpu(f"{site.request_gpus} GPUs", "REQUEST_GPUS", lambda gpu: True, site.request_gpus),
        _gpu(
            f"a GPU of capability {capability:g}",
            "GPUS_MINIMUM_CAPABILITY",
            lambda gpu: gpu.get("Capability", 0) >= capability,
        ),
        # A GPU that does not advertise its driver's CUDA version matches no request for one.
        _gpu(
            f"a GPU whose driver supports CUDA {runtime}",
            "GPUS_MINIMUM_RUNTIME",
            lambda gpu: version <= gpu.get("MaxSupportedVersion", -1) or not version,
        ),
        _gpu(
            f"a GPU with {memory} MB of memory",
            "GPUS_MINIMUM_MEMORY_MB",
            lambda gpu: gpu.get("GlobalMemoryMb", 0) >= memory,
        ),
    ]


def _gpu(name: str, setting: str, suits: Callable[[Ad], bool], count: int = 1) -> Requirement:
    return Requirement(name, setting, lambda ad: sum(suits(gpu) for gpu in read_gpus(ad)) >= count)


def read_gpus(ad: Ad) -> list[Ad]:
    """Return the properties of a machine's GPUs.

    Since HTCondor 10, each GPU has its own nested ad, `GPUs_GPU_<id>`; common properties may be attributes of the
    machine, `GPUs_Capability` or, in older versions, `CUDACapability`.
    """
    shared = {
        name.removeprefix(prefix): value
        for prefix in ("CUDA", "GPUs_")
        for name, value in ad.items()
        if name.startswith(prefix) and not isinstance(value, dict)
    }
    nested = [value for name, value in ad.items() if name.startswith("GPUs_") and isinstance(value, dict)]
    if nested:
        return [{**shared, **gpu} for gpu in nested]
    count = ad.get("TotalSlotGPUs", ad.get("TotalGPUs", 0))
    return [shared] * count if isinstance(count, int) else []


def _unknown_attributes(ads: Sequence[Ad], site: Site, path: Path) -> list[ConfigError]:
    advertised = {name for ad in ads for name in ad}
    known = {name.lower() for name in (*STANDARD, *site.profile.machine_attributes, *advertised)}
    return [
        ConfigError(
            path=path,
            field="REQUIREMENTS",
            given=f'"{site.requirements}"',
            remedy=f"refers to {name}, which no machine advertises; {nearest(name, sorted(advertised))}",
        )
        for name in referred_attributes(site.requirements)
        if name.lower() not in known
    ]
