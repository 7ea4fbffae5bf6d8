"""Layout: a study and a site in, a run folder out. Everything is checked before anything is written."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from alignsec import atomic, corruption, digest
from alignsec.attack import Attack
from alignsec.image_pack import Candidate
from alignsec.mistake import Mistake, Mistakes
from alignsec.pair import File, Pair, Published
from alignsec.results_table import ResultsTable
from alignsec.run_folder import Plan, Planned, PlannedScores, RunFolder
from alignsec.study import Study
from alignsec.study_model import StudyModel
from submit import code
from submit.digest_cache import DigestCache
from submit.images.packs import Packs
from submit.images.selection import Selection
from submit.images.store import Store
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


def write(checked: Checked, folder: RunFolder, store: Store | None = None, console: Console | None = None) -> Plan:
    """Write the run folder, plan.json last: a folder with a plan has everything the plan names.

    store: where packs of images are kept for other runs too; the run folder itself where left out.

    Outcomes that are there stay; those the plan no longer asks for become stale. Raises Mistakes naming every
    image that cannot be decoded, OSError where the folder cannot be written.
    """
    study = checked.study
    # First, because here images are decoded to the last pixel: a bad one leaves no run folder behind.
    store = store or Store(folder.images, DigestCache(None))
    packs = Packs.write(checked.selection, store, console)
    packs.link(store, folder.images)
    for subfolder in (folder.weights, folder.sources, folder.pairs, folder.outcomes, folder.logs):
        subfolder.mkdir(parents=True, exist_ok=True)
    planned = _pairs(checked, packs, folder)
    text, archive = checked.path.read_bytes(), code.archive()
    scores = None
    if study.scores is not None:
        data = study.scores.file.read_bytes()
        scores = PlannedScores(
            source=study.scores.file.name,
            sha256=digest.of_bytes(data),
            label=study.scores.label,
            date=study.scores.date or "",
        )
        atomic.write(folder.scores, data)
    plan = Plan(
        name=study.name,
        title=study.title or study.name,
        seed=study.seed,
        study_sha256=digest.of_bytes(text),
        code_sha256=digest.of_bytes(archive),
        written=datetime.now(UTC).isoformat(timespec="seconds"),
        scores=scores,
        images=packs.images,
        image_count=len(checked.selection.images),
        planned=planned,
    )
    atomic.write(folder.study, text)
    atomic.write(folder.code, archive)
    for pair in plan:
        atomic.write(folder.pair(pair.id), pair.model_dump_json(indent=1).encode())
    plan.write(folder)
    return plan


def _pairs(checked: Checked, packs: Packs, folder: RunFolder) -> tuple[Planned, ...]:
    """Every model under every attack."""
    files = {found.path: _weights(found, folder) for found in checked.weights.values()}
    codes = {model.code: _code(model.code, folder) for model in checked.study.models if model.code}
    planned = []
    for model in checked.study.models:
        weights = files[checked.weights[model.name].path] if model.name in checked.weights else None
        source = codes[model.code] if model.code else None
        in_pair = model.in_pair(weights, source, checked.published.get(model.name))
        for attack in checked.study.attacks:
            pack, more = packs.images, packs.corrupted.get(attack)
            handed = (
                *((folder.weights, weights), (folder.sources, source)),
                *((folder.images, pack), (folder.images, more)),
            )
            paths = [place / file.name for place, file in handed if file]
            inputs = tuple(path.relative_to(folder.root).as_posix() for path in paths)
            pair = Pair(model=in_pair, attack=attack, images=pack, corrupted=more, seed=checked.study.seed)
            planned.append(Planned(pair=pair, inputs=inputs))
    return tuple(planned)


def _code(path: Path, folder: RunFolder) -> File:
    """A copy in the run folder, named by digest, of a user's Python file: a later edit reaches no queued job."""
    data = path.read_bytes()
    file = File(name=f"code-{digest.of_bytes(data)[:12]}.py", sha256=digest.of_bytes(data))
    atomic.write(folder.sources / file.name, data)
    return file


def _weights(found: Found, folder: RunFolder) -> File:
    """A link in the run folder, named by digest, to a checkpoint that stays where it is.

    Names in a run folder hold letters, digits, dots and hyphens only, so nothing needs quoting in a DAG.
    """
    suffix = found.path.suffix if re.fullmatch(r"\.[a-z0-9]{1,12}", found.path.suffix) else ".bin"
    file = File(name=f"weights-{found.sha256[:12]}{suffix}", sha256=found.sha256)
    link = folder.weights / file.name
    link.unlink(missing_ok=True)
    link.symlink_to(found.path.absolute())
    return file
