"""A study's needs against the queue lengths, the quotas and the free disk space of a site."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from alignsec import leaderboard
from alignsec.errors import ConfigError, nearest
from alignsec.spec.pair import File, Pair
from submit import transfer
from submit.condor.description import IMAGE_BYTES, VERDICT_BYTES
from submit.preflight.machines import LargestRequests
from submit.requests import estimate
from submit.requests.estimate import InputSizes, ResourceEstimate
from submit.requests.image_size import image_mb
from submit.requests.measurements import DeviceKind, Measurements
from submit.site import Site
from submit.validation import ValidatedStudy

GB = 1_000_000_000
_SOURCE = File(name="code.py", sha256="0" * 64)
_UNPACKED = File(name="images.tar", sha256="0" * 64)
"""Placeholders for files that preflight does not write. No estimate depends on them."""


@dataclass(frozen=True)
class StudyNeeds:
    """Resources that a study's jobs need in total."""

    estimates: tuple[ResourceEstimate, ...]
    """One for each pair."""
    image_bytes: int
    """Size of the chosen images."""
    outcome_bytes: int
    """Size of all outcome files."""
    weights_bytes: int
    """Size of all weights files."""

    def largest(self, site: Site) -> LargestRequests:
        """Return the largest requests of the jobs at a site."""
        return LargestRequests(
            memory_mb=max([site.request_memory_mb, *(one.memory_mb for one in self.estimates)]),
            disk_mb=max([site.request_disk_mb, *(one.disk_mb for one in self.estimates)]) + image_mb(site),
            gpu_memory_mb=max([site.gpus_minimum_memory_mb, *(one.gpu_memory_mb for one in self.estimates)]),
        )


def estimate_needs(validated: ValidatedStudy, site: Site, measured: Measurements) -> StudyNeeds:
    """Estimate the needs of a study from its files, without writing a run folder."""
    study, images = validated.study, validated.selection.images
    image_bytes = sum(transfer.encoded_bytes(image) for image in images)
    kind: DeviceKind = "gpu" if site.request_gpus else "cpu"
    estimates = []
    for model in study.models:
        found = validated.weights.get(model.name)
        weights = File(name=found.path.name, sha256=found.sha256) if found else None
        code = _SOURCE if model.code else None
        pair_model = model.to_pair_model(weights, code, validated.published.get(model.name))
        sizes = InputSizes(weights=found.bytes if found else 0, images=image_bytes, code=1_000_000)
        for attack in study.attacks:
            corrupted = _UNPACKED if attack.level_kind == "severity" and not attack.generator else None
            pair = Pair(
                model=pair_model,
                attack=attack.to_pair_attack(),
                images=_UNPACKED,
                corrupted=corrupted,
                attack_code=_SOURCE if attack.code else None,
                seed=study.seed,
            )
            estimates.append(
                estimate.estimate_resources(pair, sizes, len(images), measured, kind, site.request_cpus)
            )
    verdicts = len(study.models) * sum(len(attack.budgets) for attack in study.attacks)
    return StudyNeeds(
        estimates=tuple(estimates),
        image_bytes=image_bytes,
        outcome_bytes=len(images) * (IMAGE_BYTES * len(estimates) + VERDICT_BYTES * verdicts),
        weights_bytes=sum(
            one.bytes for one in {found.path: found for found in validated.weights.values()}.values()
        ),
    )


def time_errors(needs: StudyNeeds, site: Site, env: Path) -> list[ConfigError]:
    """Return an error for each chosen queue that is shorter than a job, or an interval shorter than its start."""
    errors = []
    for queue in site.profile.queues:
        if str(getattr(site, queue.key.lower())) != queue.value:
            continue
        long_jobs = [one.seconds for one in needs.estimates if one.seconds > queue.seconds]
        if long_jobs:
            remedy = (
                f"allows {queue.hours} h, but {len(long_jobs)} of {len(needs.estimates)} jobs should take "
                f"longer, up to {max(long_jobs) / 3600:.0f} h; choose a longer {queue.key}, or fewer images"
            )
            errors.append(ConfigError(path=env, field=queue.key, given=f'"{queue.value}"', remedy=remedy))
    starting = estimate.STARTING_SECONDS["gpu" if site.request_gpus else "cpu"]
    if site.checkpoint_seconds <= starting:
        remedy = f"must be more than {starting:.0f} s, the time that a job takes to start"
        given = f'"{site.checkpoint_seconds}"'
        errors.append(ConfigError(path=env, field="CHECKPOINT_SECONDS", given=given, remedy=remedy))
    return errors


def quota_errors(
    validated: ValidatedStudy, needs: StudyNeeds, site: Site, env: Path, checkout: Path
) -> list[ConfigError]:
    """Return an error for each quota that the study exceeds, and if the disk has too little free space.

    Args:
        validated: The study.
        needs: The study's needs.
        site: The site's settings.
        env: The `.env` file.
        checkout: The folder that relative paths are relative to.
    """
    errors, limits = [], site.profile.limits
    places = {"RUNS": needs.outcome_bytes, "WEIGHTS": needs.weights_bytes, "IMAGES": needs.image_bytes}
    folders = {key: (checkout / getattr(site, key.lower())).resolve() for key in places}
    root = Path(site.profile.staging.root) if site.profile.staging else None
    staged = {key for key, folder in folders.items() if root is not None and folder.is_relative_to(root)}
    for quota, name, keys in (
        (limits.home_gb, "the home folder", set(places) - staged),
        (limits.staging_gb, "the staging folder", staged),
    ):
        total = sum(places[key] for key in keys)
        if quota is not None and total > quota * GB:
            largest = max(keys, key=lambda key: places[key])
            remedy = (
                f"the study needs {total / GB:.1f} GB in {name}, whose quota is {quota} GB; ask for a larger quota"
            )
            errors.append(ConfigError(path=env, field=largest, given=f'"{folders[largest]}"', remedy=remedy))
    for key, folder in folders.items():
        if remedy := _space_remedy(folder, places[key]):
            errors.append(ConfigError(path=env, field=key, given=f'"{folder}"', remedy=remedy))
    return errors + _item_errors(validated, site, root)


def _space_remedy(folder: Path, needed: int) -> str:
    """Return what is wrong with the folder's disk: not writable, or too little space."""
    existing = next(one for one in (folder, *folder.parents) if one.exists())
    if not os.access(existing, os.W_OK):
        return "cannot be written; choose another folder"
    free = shutil.disk_usage(existing).free
    return "" if free > needed else f"needs {needed / GB:.1f} GB, but its disk has {free / GB:.1f} GB free"


def _item_errors(validated: ValidatedStudy, site: Site, root: Path | None) -> list[ConfigError]:
    """Return an error if the images are more files than the staging folder may hold."""
    most, folder, files = (
        site.profile.limits.staging_items,
        validated.study.images.folder,
        validated.selection.found,
    )
    if (
        most is None
        or root is None
        or folder is None
        or not folder.resolve().is_relative_to(root)
        or files <= most
    ):
        return []
    remedy = (
        f"has {files} files, but the staging folder may hold {most} items; "
        "put the images into one uncompressed tar archive, and set archive = FILE"
    )
    return [ConfigError(path=validated.path, field="images.folder", given=f'"{folder}"', remedy=remedy)]


def score_errors(validated: ValidatedStudy) -> list[ConfigError]:
    """Return an error for each model without scores, with the most similar names of the scores file."""
    scores = validated.study.scores
    if scores is None:
        return []
    names: Sequence[str] = list(leaderboard.read_leaderboard(scores.file.read_bytes()).rows)
    return [
        ConfigError(
            path=validated.path,
            field=f"models[{index}].name",
            given=f'"{model.name}"',
            remedy=f"has no row in {scores.file.name}; {nearest(model.name, names)}",
        )
        for index, model in enumerate(validated.study.models)
        if model.name not in names
    ]
