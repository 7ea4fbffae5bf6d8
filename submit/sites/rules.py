"""The rules that the settings of a site must keep together: one table for all sites.

A rule that one site states, such as a limit, is data of that site's profile; the table holds what it means.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from alignsec.errors import ConfigError
from submit.sites.machine_attributes import attribute_remedy, unknown_attributes
from submit.sites.profile import profile_names, read_profile
from submit.sites.staging import VARIABLE, staging_remedy

if TYPE_CHECKING:
    from submit.site import Site

SITE_ATTRIBUTES = (
    *("WANT_GPU_LAB", "GPU_JOB_LENGTH", "IS_RESUMABLE", "WANT_CAMPUS_POOLS", "WANT_OSPOOL"),
    *("JOB_DURATION_CATEGORY", "PROJECT_NAME"),
)
"""Keys whose attributes only some sites know."""
PLACES = ("CONTAINER_IMAGE", "WEIGHTS_URL", "IMAGES_URL", "WEIGHTS", "IMAGES")
"""Keys of which the value may be in a staging area."""


@dataclass(frozen=True)
class Rule:
    """A rule on one or more settings."""

    keys: tuple[str, ...]
    """The keys involved; an error is reported for the first."""
    broken: Callable[["Site"], object]
    """Returns a true value if the settings break the rule."""
    remedy: str


RULES = (
    Rule(
        ("CHECKPOINT_SECONDS", "ALLOWED_EXECUTE_SECONDS"),
        lambda site: site.checkpoint_seconds >= site.allowed_execute_seconds,
        "must be less than ALLOWED_EXECUTE_SECONDS; otherwise HTCondor holds every job",
    ),
    Rule(
        ("RETRY_REQUEST_MEMORY_MB", "REQUEST_MEMORY_MB"),
        lambda site: site.retry_request_memory_mb < site.request_memory_mb,
        "must be at least REQUEST_MEMORY_MB",
    ),
    Rule(
        ("WANT_GPU_LAB", "REQUEST_GPUS"),
        lambda site: site.want_gpu_lab and not site.request_gpus,
        "is for jobs with a GPU; set REQUEST_GPUS=1, or leave WANT_GPU_LAB empty",
    ),
    Rule(
        ("GPU_JOB_LENGTH", "REQUEST_GPUS"),
        lambda site: site.gpu_job_length and not site.request_gpus,
        "is for jobs with a GPU; set REQUEST_GPUS=1, or leave GPU_JOB_LENGTH empty",
    ),
    Rule(
        ("GPUS_MINIMUM_MEMORY_MB", "REQUEST_GPUS"),
        lambda site: site.gpus_minimum_memory_mb and not site.request_gpus,
        "is for jobs with a GPU; set REQUEST_GPUS=1, or set GPUS_MINIMUM_MEMORY_MB=0",
    ),
    Rule(
        ("IS_RESUMABLE", "WANT_GPU_LAB"),
        lambda site: site.is_resumable and "WANT_GPU_LAB" in site.profile.gpu_attributes and not site.want_gpu_lab,
        "has an effect in the GPU Lab only; set WANT_GPU_LAB=true, or leave IS_RESUMABLE empty",
    ),
    Rule(
        ("DOCKER_UNIVERSE", "CONTAINER_IMAGE"),
        lambda site: site.docker_universe and not site.container_image.startswith("docker://"),
        "needs an image of a registry; set CONTAINER_IMAGE=docker://NAME, or set DOCKER_UNIVERSE=false",
    ),
    Rule(
        ("CONTAINER_IMAGE_MB", "CONTAINER_IMAGE"),
        lambda site: site.container_image_mb and not site.container_image,
        "is the size of CONTAINER_IMAGE, which is empty; set the image, or leave CONTAINER_IMAGE_MB empty",
    ),
)


def find_errors(site: "Site", path: Path, invalid: Collection[str] = ()) -> list[ConfigError]:
    """Return an error for each rule that the settings break.

    Args:
        site: The settings.
        path: The `.env` file.
        invalid: Keys whose values are invalid; rules on them are skipped.
    """
    found = [(rule.keys, rule.remedy) for rule in RULES if rule.broken(site)]
    checks = (_attributes, _queues, _limits, _requirements, _staging_paths, _staging_machines)
    found += [error for check in checks for error in check(site)]
    return [
        ConfigError(path=path, field=keys[0], given=f'"{_value(site, keys[0])}"', remedy=remedy)
        for keys, remedy in found
        if not set(keys) & set(invalid)
    ]


def _value(site: "Site", key: str) -> str:
    value = getattr(site, key.lower())
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _attributes(site: "Site") -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield errors of the attributes that only some sites know."""
    for key in SITE_ATTRIBUTES:
        if _value(site, key) and key not in site.profile.attributes:
            sites = [name for name in profile_names() if key in read_profile(name).attributes]
            yield (
                (key, "SITE"),
                f"is unknown at SITE={site.site}; set SITE={' or '.join(sites)}, or leave it empty",
            )
    for key in site.profile.required:
        if not _value(site, key):
            yield (key,), f"is empty, but {site.profile.title} requires it; set {key} in .env"
    for key in site.profile.gpu_attributes:
        if site.request_gpus and _value(site, key) != "true":
            yield (key, "REQUEST_GPUS"), f"must be true, or no job with a GPU starts at {site.profile.title}"


def _queues(site: "Site") -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield errors of times that exceed the longest run time of the chosen queue."""
    chosen = [one for one in site.profile.queues if _value(site, one.key) == one.value]
    for queue in chosen:
        for key in ("CHECKPOINT_SECONDS", "ALLOWED_EXECUTE_SECONDS"):
            if int(_value(site, key)) >= queue.seconds:
                remedy = (
                    f"must be less than the {queue.hours} hours ({queue.seconds} s) of {queue.key}={queue.value}; "
                    f"otherwise jobs lose their work. Set a shorter time, or a longer {queue.key}"
                )
                yield (key, queue.key), remedy


def _limits(site: "Site") -> Iterator[tuple[tuple[str, ...], str]]:
    most = site.profile.limits.submission_jobs
    if most is not None and site.max_jobs > most:
        yield ("MAX_JOBS",), f"must be at most {most}, the limit of {site.profile.title} for one submission"


def _requirements(site: "Site") -> Iterator[tuple[tuple[str, ...], str]]:
    for name in unknown_attributes(site.requirements, site.profile):
        remedy = (
            f"refers to {name}, which no machine of {site.profile.title} advertises; "
            f"{attribute_remedy(name, site.profile)}. If a machine has it, add it to machine_attributes in "
            f"submit/sites/{site.site}.toml"
        )
        yield ("REQUIREMENTS",), remedy


def _staging_paths(site: "Site") -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield errors of paths and URLs in the staging area of this site, or of another one."""
    for key in PLACES:
        value = _value(site, key)
        if VARIABLE in value:
            yield (key,), f"has {VARIABLE}, but the environment has no STAGING; write the whole path"
            continue
        for name in profile_names():
            staging = read_profile(name).staging
            if staging is None:
                continue
            if name == site.site and (remedy := staging_remedy(value, staging)):
                yield (key,), remedy
            elif name != site.site and value.startswith(
                (f"{staging.url}{staging.root}/", f"file://{staging.root}/")
            ):
                yield (key, "SITE"), f"is in the staging area of {read_profile(name).title}; set SITE={name}"


def _staging_machines(site: "Site") -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield errors of inputs that jobs read from a mounted staging area, which not every machine has."""
    staging = site.profile.staging
    if staging is None:
        return
    for key in ("WEIGHTS_URL", "IMAGES_URL", "CONTAINER_IMAGE"):
        if not _value(site, key).startswith(f"file://{staging.root}/"):
            continue
        if staging.requirement.lower() not in site.requirements.lower():
            remedy = (
                f"is on {staging.root}, which not every machine has; "
                f"set REQUIREMENTS=({staging.requirement} == true)"
            )
            yield (key, "REQUIREMENTS"), remedy
        if site.want_ospool or site.want_campus_pools:
            remedy = (
                f"is on {staging.root}, which no machine outside CHTC's pool has; leave WANT_OSPOOL and "
                f"WANT_CAMPUS_POOLS empty, or set {key}={staging.url}{staging.root}/..."
            )
            yield (key, "WANT_OSPOOL", "WANT_CAMPUS_POOLS"), remedy
