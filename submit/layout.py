"""Layout of a run: write a run folder from a validated study."""

import re
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from alignsec import atomic, digest
from alignsec.errors import ConfigError, ConfigErrors
from alignsec.images import duplicates
from alignsec.run.folder import RunFolder
from alignsec.run.pair_shard import write_shards
from alignsec.run.plan import Plan, PlannedPair, PlannedScores
from alignsec.spec.pair import File, Pair
from alignsec.study.study import StudyScores
from submit import code
from submit.digest_cache import DigestCache
from submit.extensions import extend_pair
from submit.images.packs import StudyPacks
from submit.images.store import PackStore
from submit.validation import ValidatedStudy
from submit.weights.locate import LocatedWeights


def write_run_folder(
    validated: ValidatedStudy, folder: RunFolder, store: PackStore | None = None, console: Console | None = None
) -> Plan:
    """Write a run folder and return its plan.

    plan.json is written last: a folder with a plan has everything that the plan names. Existing outcomes are kept.

    Args:
        validated: The study.
        folder: The run folder.
        store: Where to keep image packs, which other runs then share; by default, the run folder.
        console: Where to show the progress of packing; by default, nowhere.

    Raises:
        ConfigErrors: Images cannot be decoded, or another study owns the folder.
        OSError: The folder cannot be written.
    """
    study = validated.study
    _refuse_other_study(validated.path, folder)
    # First, because this decodes every image completely: a damaged image leaves no run folder.
    store = store or PackStore(folder.images, DigestCache(None))
    packs = StudyPacks.write(validated.selection, store, console)
    packs.link(store, folder.images)
    for part in (folder.weights, folder.sources, folder.pairs, folder.outcomes, folder.logs):
        part.mkdir(parents=True, exist_ok=True)
    planned = _plan_pairs(validated, packs, folder)
    text, archive = validated.path.read_bytes(), code.build_archive()
    plan = Plan(
        name=study.name,
        title=study.title or study.name,
        seed=study.seed,
        study_file=str(validated.path.resolve()),
        study_sha256=digest.sha256_of_bytes(text),
        code_sha256=digest.sha256_of_bytes(archive),
        written=datetime.now(UTC).isoformat(timespec="seconds"),
        scores=_copy_scores(study.scores, folder) if study.scores else None,
        images=packs.images,
        image_count=len(validated.selection.images),
        labels=validated.describe_labels(),
        duplicates=duplicates.describe_duplicates(folder.images / packs.images.name),
        audits=validated.audits,
        planned=planned,
    )
    atomic.write_atomic(folder.study, text)
    atomic.write_atomic(folder.code, archive)
    write_shards([*plan], folder)
    plan.write(folder)
    return plan


def _refuse_other_study(path: Path, folder: RunFolder) -> None:
    """Raise ConfigErrors if another study of the same name wrote the folder.

    A study file that was moved, copied or edited is the same study: the other file must exist and differ.
    """
    study_file = Plan.read_study_file(folder)
    if not study_file:  # no plan, or one of another version, which is replaced
        return
    other = Path(study_file)
    if other.is_file() and other != path.resolve() and other.read_bytes() != path.read_bytes():
        remedy = (
            f"is also the name of the study {other}, which owns {folder.root}; give one of the two another name, "
            f"or move that run folder"
        )
        raise ConfigErrors([ConfigError(path=path, field="name", given=folder.root.name, remedy=remedy)])


def _plan_pairs(validated: ValidatedStudy, packs: StudyPacks, folder: RunFolder) -> tuple[PlannedPair, ...]:
    """Return a pair for every combination of model and attack, with the input files of its job."""
    files = {found.path: _link_weights(found, folder) for found in validated.weights.values()}
    study = validated.study
    named = (*(model.code for model in study.models), *(attack.code for attack in study.attacks))
    sources = {path: _copy_source(path, folder) for path in named if path}
    attacks = [(attack, attack.to_pair_attack()) for attack in study.attacks]
    planned = []
    for model in study.models:
        weights = files[validated.weights[model.name].path] if model.name in validated.weights else None
        source = sources[model.code] if model.code else None
        pair_model = model.to_pair_model(weights, source, validated.published.get(model.name))
        for attack, pair_attack in attacks:
            corrupted, own = packs.corrupted.get(attack), sources[attack.code] if attack.code else None
            inputs = (
                *((folder.weights, weights), (folder.sources, source), (folder.sources, own)),
                *((folder.images, packs.images), (folder.images, corrupted)),
            )
            # A model and an attack may be in one file.
            paths = tuple(dict.fromkeys(f"{place.name}/{file.name}" for place, file in inputs if file))
            pair = Pair.from_parts(pair_model, pair_attack, packs.images, corrupted, study.seed, attack_code=own)
            planned.append(_extend(PlannedPair(pair=pair, inputs=paths), folder))
    return tuple(planned)


def _extend(planned: PlannedPair, folder: RunFolder) -> PlannedPair:
    """Add the outcome with a smaller audited share that the pair extends, if there is one."""
    pair, path = extend_pair(planned.pair, folder)
    if path is None:
        return planned
    return PlannedPair(pair=pair, inputs=(*planned.inputs, path.relative_to(folder.root).as_posix()))


def _copy_scores(scores: StudyScores, folder: RunFolder) -> PlannedScores:
    """Copy the scores file into the run folder; return its entry in the plan."""
    data = scores.file.read_bytes()
    atomic.write_atomic(folder.scores, data)
    sha256 = digest.sha256_of_bytes(data)
    return PlannedScores(source=scores.file.name, sha256=sha256, label=scores.label, date=scores.date or "")


def _copy_source(path: Path, folder: RunFolder) -> File:
    """Copy a user's Python file into the run folder, named by digest, so that later edits reach no queued job."""
    data = path.read_bytes()
    file = File(name=f"code-{digest.sha256_of_bytes(data)[:12]}.py", sha256=digest.sha256_of_bytes(data))
    atomic.write_atomic(folder.sources / file.name, data)
    return file


def _link_weights(found: LocatedWeights, folder: RunFolder) -> File:
    """Link a weights file into the run folder, named by digest.

    Names in a run folder consist of letters, digits, dots and hyphens, so nothing needs quoting in a DAG.
    """
    suffix = found.path.suffix if re.fullmatch(r"\.[a-z0-9]{1,12}", found.path.suffix) else ".bin"
    file = File(name=f"weights-{found.sha256[:12]}{suffix}", sha256=found.sha256)
    link = folder.weights / file.name
    link.unlink(missing_ok=True)
    link.symlink_to(found.path.absolute())
    return file
