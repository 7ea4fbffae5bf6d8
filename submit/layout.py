"""Layout: a checked study in, a run folder out."""

import re
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from alignsec import atomic, digest
from alignsec.run.folder import RunFolder
from alignsec.run.plan import Plan, PlannedPair, PlannedScores
from alignsec.spec.pair import File, Pair
from alignsec.study.study import StudyScores
from submit import code
from submit.digest_cache import DigestCache
from submit.images.packs import StudyPacks
from submit.images.store import PackStore
from submit.validation import ValidatedStudy
from submit.weights.locate import LocatedWeights


def write(
    checked: ValidatedStudy, folder: RunFolder, store: PackStore | None = None, console: Console | None = None
) -> Plan:
    """Write the run folder, plan.json last: a folder with a plan has everything the plan names.

    store: where packs of images are kept for other runs too; the run folder itself where left out. console: where
    packing is shown on a terminal; nowhere where left out.

    Outcomes that are there stay; those the plan no longer asks for become stale. Raises Mistakes naming every
    image that cannot be decoded, OSError where the folder cannot be written.
    """
    study = checked.study
    # First, because here images are decoded to the last pixel: a bad one leaves no run folder behind.
    store = store or PackStore(folder.images, DigestCache(None))
    packs = StudyPacks.write(checked.selection, store, console)
    packs.link(store, folder.images)
    for subfolder in (folder.weights, folder.sources, folder.pairs, folder.outcomes, folder.logs):
        subfolder.mkdir(parents=True, exist_ok=True)
    planned = _pairs(checked, packs, folder)
    text, archive = checked.path.read_bytes(), code.archive()
    plan = Plan(
        name=study.name,
        title=study.title or study.name,
        seed=study.seed,
        study_sha256=digest.sha256_of_bytes(text),
        code_sha256=digest.sha256_of_bytes(archive),
        written=datetime.now(UTC).isoformat(timespec="seconds"),
        scores=_scores(study.scores, folder) if study.scores else None,
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


def _pairs(checked: ValidatedStudy, packs: StudyPacks, folder: RunFolder) -> tuple[PlannedPair, ...]:
    """Every model under every attack."""
    files = {found.path: _weights(found, folder) for found in checked.weights.values()}
    codes = {model.code: _code(model.code, folder) for model in checked.study.models if model.code}
    planned = []
    for model in checked.study.models:
        weights = files[checked.weights[model.name].path] if model.name in checked.weights else None
        source = codes[model.code] if model.code else None
        to_pair_model = model.to_pair_model(weights, source, checked.published.get(model.name))
        for attack in checked.study.attacks:
            pack, more = packs.images, packs.corrupted.get(attack)
            handed = (
                *((folder.weights, weights), (folder.sources, source)),
                *((folder.images, pack), (folder.images, more)),
            )
            paths = [place / file.name for place, file in handed if file]
            inputs = tuple(path.relative_to(folder.root).as_posix() for path in paths)
            pair = Pair(model=to_pair_model, attack=attack, images=pack, corrupted=more, seed=checked.study.seed)
            planned.append(PlannedPair(pair=pair, inputs=inputs))
    return tuple(planned)


def _scores(scores: StudyScores, folder: RunFolder) -> PlannedScores:
    """A copy of the scores in the run folder, and what the plan says of them."""
    data = scores.file.read_bytes()
    atomic.write(folder.scores, data)
    sha256 = digest.sha256_of_bytes(data)
    return PlannedScores(source=scores.file.name, sha256=sha256, label=scores.label, date=scores.date or "")


def _code(path: Path, folder: RunFolder) -> File:
    """A copy in the run folder, named by digest, of a user's Python file: a later edit reaches no queued job."""
    data = path.read_bytes()
    file = File(name=f"code-{digest.sha256_of_bytes(data)[:12]}.py", sha256=digest.sha256_of_bytes(data))
    atomic.write(folder.sources / file.name, data)
    return file


def _weights(found: LocatedWeights, folder: RunFolder) -> File:
    """A link in the run folder, named by digest, to a checkpoint that stays where it is.

    Names in a run folder hold letters, digits, dots and hyphens only, so nothing needs quoting in a DAG.
    """
    suffix = found.path.suffix if re.fullmatch(r"\.[a-z0-9]{1,12}", found.path.suffix) else ".bin"
    file = File(name=f"weights-{found.sha256[:12]}{suffix}", sha256=found.sha256)
    link = folder.weights / file.name
    link.unlink(missing_ok=True)
    link.symlink_to(found.path.absolute())
    return file
