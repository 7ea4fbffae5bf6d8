"""Validation of a study and of every file that it names, before anything is written."""

import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from alignsec import digest, leaderboard, limits
from alignsec.errors import ConfigError, ConfigErrors
from alignsec.run.plan import PlannedAudit
from alignsec.spec.pair import Published
from alignsec.study.models import StudyModel
from alignsec.study.published import ResultsTable
from alignsec.study.study import Study
from submit.digest_cache import DigestCache
from submit.images.selection import Selection
from submit.requests import examples_size
from submit.weights.locate import LocatedWeights, WeightsLocator, WeightsNotFoundError
from submit.weights.manifest import Manifest


@dataclass(frozen=True)
class ValidatedStudy:
    """A study whose files all exist and fit its models."""

    path: Path
    """The study file."""
    study: Study
    weights: dict[str, LocatedWeights]
    """Weights files by model name."""
    published: dict[str, Published]
    """Published clean accuracies by model name. A model must reproduce its own before it is attacked."""
    selection: Selection
    """The study's images."""
    audits: tuple[PlannedAudit, ...] = ()
    """Shares that were chosen for the requested precisions."""

    def describe_labels(self) -> str:
        """Return a sentence on the labels of the images: their origin, and the models' numbers of classes."""
        numbers = Counter(model.class_count for model in self.study.models)
        counts = [
            f"{models} {'model' if models == 1 else 'models'} with {number or 'an unknown number of'} classes"
            for number, models in numbers.items()
        ]
        return f"{self.selection.labels}; {', '.join(counts)}"


def validate(
    path: Path, hub: Path, folder: Path | None = None, digests: DigestCache | None = None
) -> ValidatedStudy:
    """Read a study file and find everything that it names.

    Args:
        path: The study file.
        hub: The cache of the model hub.
        folder: The site's weights folder, with its manifest.
        digests: Cached digests of files; without it, all weights are read.

    Returns:
        The study and its files.

    Raises:
        ConfigErrors: All errors of the study file; if it has none, all weights files that are missing and all
            images and labels that cannot be used.
    """
    study = Study.load(path)
    errors: list[ConfigError] = []
    manifest = Manifest.read(folder) if folder else Manifest()
    locator = WeightsLocator(path, hub, folder, digests or DigestCache(None), manifest)
    weights = _find_weights(path, study, locator, errors)
    published = _published_accuracies(study, errors)
    errors += _scores_errors(path, study)
    selection = Selection.from_study(path, study, errors)
    for index, model in enumerate(study.models):
        errors += _label_errors(path, index, model, selection)
    errors += _keep_errors(path, study, len(selection.images))
    if errors:
        raise ConfigErrors(errors)
    return ValidatedStudy(path, study, weights, published, selection)


def _find_weights(
    path: Path, study: Study, locator: WeightsLocator, errors: list[ConfigError]
) -> dict[str, LocatedWeights]:
    """Return the weights file of each model that needs one; add an error for each that is missing."""
    weights = {}
    for index, model in enumerate(study.models):
        if model.weights is None and not model.needs_published_weights:
            continue
        try:
            weights[model.name] = locator.locate(model)
        except WeightsNotFoundError as remedy:
            field, given = f"models[{index}].source", f'"{model.source}"'
            errors.append(ConfigError(path=path, field=field, given=given, remedy=str(remedy)))
    return weights


def _scores_errors(path: Path, study: Study) -> list[ConfigError]:
    """Return an error if the scores file cannot be read or is not the snapshot that the study pins."""
    scores = study.scores
    if scores is None:
        return []
    # Read completely: the analysis would find a damaged file only after all jobs.
    try:
        data = scores.file.read_bytes()
    except OSError as error:
        remedy = f"cannot be read: {error.strerror}"
        return [ConfigError(path=path, field="scores.file", given=f'"{scores.file}"', remedy=remedy)]
    found = digest.sha256_of_bytes(data)
    if scores.sha256 in {None, found}:
        return _unusable_scores(path, scores.file, data)
    remedy = (
        f"is not the digest of {scores.file}, which is {found}; restore the pinned file, or, to use this one, "
        "update sha256 and date"
    )
    return [ConfigError(path=path, field="scores.sha256", given=f'"{scores.sha256[:16]}…"', remedy=remedy)]


def _unusable_scores(path: Path, file: Path, data: bytes) -> list[ConfigError]:
    """Return an error if a scores file has no score."""
    unusable = leaderboard.read_leaderboard(data).unusable
    if not unusable:
        return []
    remedy = f"is not a file of scores: {unusable} Download the file again, or remove [scores]"
    return [ConfigError(path=path, field="scores.file", given=f'"{file}"', remedy=remedy)]


def _published_accuracies(study: Study, errors: list[ConfigError]) -> dict[str, Published]:
    """Return the published clean accuracy of each model for which there is one, by the model's name."""
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
    published = {model.name: model.find_published_accuracy(table) for model in study.models}
    return {name: accuracy for name, accuracy in published.items() if accuracy is not None}


def _keep_errors(path: Path, study: Study, image_count: int) -> list[ConfigError]:
    """Return an error for each attack whose kept examples may not fit into one file."""
    largest = max((model.preprocessing.input_size for model in study.models), key=math.prod)
    errors = []
    for attack in study.attacks:
        if (size := examples_size.estimate_bytes(attack, largest, image_count)) > limits.EXAMPLES_BYTES:
            remedy = (
                f"of {attack.name} may need {size / 1e9:.1f} GB for one model, but a file may have "
                f"{limits.EXAMPLES_BYTES / 1e9:g} GB; keep at most {examples_size.count_fitting(attack, largest)}"
            )
            errors.append(ConfigError(path=path, field="attacks.keep", given=str(attack.keep), remedy=remedy))
    return errors


def _label_errors(path: Path, index: int, model: StudyModel, selection: Selection) -> list[ConfigError]:
    """Return an error if images have labels that the model cannot predict, or labels of other classes."""
    if model.class_count is None:
        return []
    field, given = f"models[{index}]", f'"{model.name}"'
    if selection.label_classes not in {None, model.class_count}:
        remedy = (
            f"has {model.class_count} classes, but the labels are those of {selection.label_classes} classes "
            f"({selection.labels}); set labels = FILE with this model's labels"
        )
        return [ConfigError(path=path, field=field, given=given, remedy=remedy)]
    outside = [image for image in selection.images if image.label >= model.class_count]
    if not outside:
        return []
    first = outside[0]
    remedy = (
        f"has {model.class_count} classes, 0 to {model.class_count - 1}, but {len(outside)} images have labels "
        f"outside, such as {first.name} with {first.label}"
    )
    return [ConfigError(path=path, field=field, given=given, remedy=remedy)]
