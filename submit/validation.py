"""Checking: a study and every file that it names, before anything is written."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from alignsec import digest
from alignsec.errors import ConfigError, ConfigErrors
from alignsec.images.pack import Candidate
from alignsec.spec import corruption
from alignsec.spec.attack import Attack
from alignsec.spec.pair import Published
from alignsec.study.models import StudyModel
from alignsec.study.published import ResultsTable
from alignsec.study.study import Study
from submit.digest_cache import DigestCache
from submit.images.selection import Selection
from submit.weights.locate import LocatedWeights, WeightsLocator, WeightsNotFoundError
from submit.weights.manifest import Manifest


@dataclass(frozen=True)
class ValidatedStudy:
    """A study whose every file was found: nothing is left that could fail but the disk."""

    path: Path
    study: Study
    weights: dict[str, LocatedWeights]
    """By model name."""
    published: dict[str, Published]
    """Likewise, what models are held to before they are attacked."""
    selection: Selection


def validate(
    path: Path, hub: Path, folder: Path | None = None, digests: DigestCache | None = None
) -> ValidatedStudy:
    """Read a study file and find everything it names.

    hub: the model hub's cache. folder: the site's weights, with their manifest. digests: what is known of files
    already, so that they are not read again. Raises Mistakes with every error in the study, or, in a sound one,
    every weights file that is not there and every image or label that cannot be used.
    """
    study = Study.load(path)
    errors: list[ConfigError] = []
    weights = {}
    manifest = Manifest.read(folder) if folder else Manifest()
    locator = WeightsLocator(path, hub, folder, digests or DigestCache(None), manifest)
    for index, model in enumerate(study.models):
        if model.weights is None and not model.needs_published_weights:
            continue
        try:
            weights[model.name] = locator.locate(model)
        except WeightsNotFoundError as remedy:
            errors.append(
                ConfigError(
                    path=path, field=f"models[{index}].source", given=f'"{model.source}"', remedy=str(remedy)
                )
            )
    published = _published(study, errors)
    errors += _other_scores(path, study)
    selection = Selection.from_study(path, study, errors)
    for index, model in enumerate(study.models):
        errors += _classes(path, index, model, selection.images)
        errors += _too_small(path, index, model, study.attacks)
    if errors:
        raise ConfigErrors(errors)
    return ValidatedStudy(path, study, weights, published, selection)


def _other_scores(path: Path, study: Study) -> list[ConfigError]:
    """The scores file, where it is not the snapshot that the study names."""
    scores = study.scores
    if scores is None or scores.sha256 is None:
        return []
    found = digest.sha256_of_file(scores.file)
    if found == scores.sha256:
        return []
    remedy = (
        f"is not the digest of {scores.file}, which is {found}; put the snapshot back, or, if this file is meant, "
        "write its digest and date"
    )
    return [ConfigError(path=path, field="scores.sha256", given=f'"{scores.sha256[:16]}…"', remedy=remedy)]


def _published(study: Study, errors: list[ConfigError]) -> dict[str, Published]:
    """The clean accuracy each model is held to, by the model's name; those of which none is known are left out."""
    table: dict[str, Published] = {}
    if study.published is not None:
        try:
            results = ResultsTable.read(study.published.file)
        except ConfigErrors as error:
            errors += error.errors
            return {}
        tolerance, where = study.published.tolerance, study.published.where or results.path.name
        table = {
            name: Published(top1=top1, tolerance=tolerance, where=where) for name, top1 in results.top1.items()
        }
    held = {model.name: model.find_published_accuracy(table) for model in study.models}
    return {name: published for name, published in held.items() if published is not None}


def _too_small(path: Path, index: int, model: StudyModel, attacks: Iterable[Attack]) -> list[ConfigError]:
    """Models whose images are too small to be corrupted by the library."""
    _, height, width = model.preprocessing.input_size
    if min(height, width) >= corruption.SMALLEST or not any(attack.generator for attack in attacks):
        return []
    remedy = (
        f"sees images of {height} x {width} pixels, and corruptions are made from {corruption.SMALLEST} a side; "
        "give [images] a set of them, corrupted = FOLDER, or take the corruptions out"
    )
    return [ConfigError(path=path, field=f"models[{index}]", given=f'"{model.name}"', remedy=remedy)]


def _classes(path: Path, index: int, model: StudyModel, images: Iterable[Candidate]) -> list[ConfigError]:
    """Labels that the model cannot give."""
    if model.class_count is None:
        return []
    outside = [image for image in images if image.label >= model.class_count]
    if not outside:
        return []
    first = outside[0]
    remedy = (
        f"has {model.class_count} classes, 0 to {model.class_count - 1}, but {len(outside)} images have labels "
        f"outside, such as {first.name} with {first.label}"
    )
    return [ConfigError(path=path, field=f"models[{index}]", given=f'"{model.name}"', remedy=remedy)]
