"""Checking: a study and every file that it names, before anything is written."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from alignsec import corruption, digest
from alignsec.attack import Attack
from alignsec.image_pack import Candidate
from alignsec.mistake import Mistake, Mistakes
from alignsec.pair import Published
from alignsec.results_table import ResultsTable
from alignsec.study import Study
from alignsec.study_model import StudyModel
from submit.digest_cache import DigestCache
from submit.images.selection import Selection
from submit.weights.finding import Finder, Found, NotFound
from submit.weights.manifest import Manifest


@dataclass(frozen=True)
class Checked:
    """A study whose every file was found: nothing is left that could fail but the disk."""

    path: Path
    study: Study
    weights: dict[str, Found]
    """By model name."""
    published: dict[str, Published]
    """Likewise, what models are held to before they are attacked."""
    selection: Selection


def check(path: Path, hub: Path, folder: Path | None = None, digests: DigestCache | None = None) -> Checked:
    """Read a study file and find everything it names.

    hub: the model hub's cache. folder: the site's weights, with their manifest. digests: what is known of files
    already, so that they are not read again. Raises Mistakes with every mistake in the study, or, in a sound one,
    every weights file that is not there and every image or label that cannot be used.
    """
    study = Study.load(path)
    mistakes: list[Mistake] = []
    weights = {}
    manifest = Manifest.read(folder) if folder else Manifest()
    finder = Finder(path, hub, folder, digests or DigestCache(None), manifest)
    for index, model in enumerate(study.models):
        if model.weights is None and not model.wants_weights:
            continue
        try:
            weights[model.name] = finder.find(model)
        except NotFound as remedy:
            mistakes.append(Mistake(str(path), f"models[{index}].source", f'"{model.source}"', str(remedy)))
    published = _published(study, mistakes)
    mistakes += _other_scores(path, study)
    selection = Selection.of(path, study, mistakes)
    for index, model in enumerate(study.models):
        mistakes += _classes(path, index, model, selection.images)
        mistakes += _too_small(path, index, model, study.attacks)
    if mistakes:
        raise Mistakes(mistakes)
    return Checked(path, study, weights, published, selection)


def _other_scores(path: Path, study: Study) -> list[Mistake]:
    """The scores file, where it is not the snapshot that the study names."""
    scores = study.scores
    if scores is None or scores.sha256 is None:
        return []
    found = digest.of_file(scores.file)
    if found == scores.sha256:
        return []
    remedy = (
        f"is not the digest of {scores.file}, which is {found}; put the snapshot back, or, if this file is meant, "
        "write its digest and date"
    )
    return [Mistake(str(path), "scores.sha256", f'"{scores.sha256[:16]}…"', remedy)]


def _published(study: Study, mistakes: list[Mistake]) -> dict[str, Published]:
    """The clean accuracy each model is held to, by the model's name; those of which none is known are left out."""
    table: dict[str, Published] = {}
    if study.published is not None:
        try:
            results = ResultsTable.read(study.published.file)
        except Mistakes as error:
            mistakes += error.mistakes
            return {}
        tolerance, where = study.published.tolerance, study.published.where or results.path.name
        table = {
            name: Published(top1=top1, tolerance=tolerance, where=where) for name, top1 in results.top1.items()
        }
    held = {model.name: model.held_to(table) for model in study.models}
    return {name: published for name, published in held.items() if published is not None}


def _too_small(path: Path, index: int, model: StudyModel, attacks: Iterable[Attack]) -> list[Mistake]:
    """Models whose images are too small to be corrupted by the library."""
    _, height, width = model.preprocessing.input_size
    if min(height, width) >= corruption.SMALLEST or not any(attack.generator for attack in attacks):
        return []
    remedy = (
        f"sees images of {height} x {width} pixels, and corruptions are made from {corruption.SMALLEST} a side; "
        "give [images] a set of them, corrupted = FOLDER, or take the corruptions out"
    )
    return [Mistake(str(path), f"models[{index}]", f'"{model.name}"', remedy)]


def _classes(path: Path, index: int, model: StudyModel, images: Iterable[Candidate]) -> list[Mistake]:
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
    return [Mistake(str(path), f"models[{index}]", f'"{model.name}"', remedy)]
