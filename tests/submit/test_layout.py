"""Layout: a checked study in, a run folder out."""

from collections.abc import Callable
from pathlib import Path

import pytest

from alignsec import digest
from alignsec.errors import ConfigErrors
from alignsec.images import pack
from alignsec.run import outcome_file, status
from alignsec.run.folder import RunFolder
from alignsec.run.plan import Plan
from alignsec.spec.pair import Pair
from submit import layout, validation
from submit.validation import ValidatedStudy
from tests import tiny

StudyFile = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """Where the run folder is to be; not there yet."""
    return RunFolder(tmp_path / "runs" / "tiny")


def states(plan: Plan, folder: RunFolder) -> dict[str, str]:
    return {one.id: one.state for one in status.survey(plan, folder.outcomes)}


def test_every_model_meets_every_attack(checked: ValidatedStudy, folder: RunFolder):
    plan = layout.write(checked, folder)
    assert [(pair.model.name, pair.attack.name) for pair in plan] == [
        *(("a", "clean"), ("a", "apgd-ce-Linf"), ("b", "clean"), ("b", "apgd-ce-Linf")),
    ]
    assert Plan.read(folder) == plan


def test_a_pair_and_its_inputs_are_all_that_a_job_needs(checked: ValidatedStudy, folder: RunFolder):
    """Pair file, weights and images lie in the run folder, under the names and digests that the pair tells."""
    plan = layout.write(checked, folder)
    for planned in plan.planned:
        pair = Pair.model_validate_json(folder.pair(planned.pair.id).read_bytes())
        assert pair == planned.pair
        weights, images = (folder.root / path for path in planned.inputs)
        assert (weights.name, images.name) == (pair.model.weights.name, pair.images.name)
        assert digest.sha256_of_file(weights) == pair.model.weights.sha256
        assert len(list(pack.read(images, pair.images.sha256))) == plan.image_count == 4


def test_a_users_code_travels_with_the_run(study_file: StudyFile, folder: RunFolder, tmp_path: Path):
    """A copy named by digest, which an edit of the user's file does not reach; no weights are wanted."""
    path = study_file("a")
    code = path.parent / "my models.py"
    code.write_text("def build():\n    return 1\n")
    text = path.read_text().replace('weights = "a.safetensors"\n', "classes = 5\n").replace("num_classes = 5", "")
    path.write_text(text.replace("timm:vit_tiny_patch16_224", "python:my models.py:build"))
    plan = layout.write(validation.validate(path, tmp_path / "hub"), folder)
    handed = plan.planned[0].inputs
    assert [Path(one).parent.name for one in handed] == ["sources", "images"]
    model = plan.planned[0].pair.model
    assert model.code is not None
    assert (model.weights, model.source) == (None, "python:build")
    code.write_text("def build():\n    return 2\n")
    assert digest.sha256_of_file(folder.root / handed[0]) == model.code.sha256
    again = layout.write(validation.validate(path, tmp_path / "hub"), folder)
    assert {pair.id for pair in again}.isdisjoint(pair.id for pair in plan), "other code is another model"


def test_a_set_of_corrupted_images_is_a_pack_each(study_file: StudyFile, folder: RunFolder, tmp_path: Path):
    """Of the chosen images alone; only the pairs of that corruption are handed it, and plan.json keeps which."""
    path = study_file("a", attacks=tiny.FOG, images='corrupted = "c"')
    for severity in (1, 2):
        for at, image in enumerate(sorted((path.parent / "images").rglob("*.png"))):
            place = path.parent / "c" / "fog" / str(severity) / image.relative_to(path.parent / "images")
            tiny.write_image(place, seed=1000 * severity + at)
    plan = layout.write(validation.validate(path, tmp_path / "hub"), folder)
    clean, *fogs = plan.planned
    assert (clean.pair.corrupted, len(clean.inputs)) == (None, 2)
    assert len({fog.pair.corrupted.sha256 for fog in fogs}) == 2
    for fog in fogs:
        corrupted = list(pack.read(folder.root / fog.inputs[2], fog.pair.corrupted.sha256))
        images = list(pack.read(folder.root / fog.inputs[1], fog.pair.images.sha256))
        assert [(one.name, one.label) for one in corrupted] == [(one.name, one.label) for one in images]
        assert not {one.data for one in corrupted} & {one.data for one in images}
    assert Plan.read(folder) == plan


def test_the_run_keeps_what_it_was_made_of(study_file: StudyFile, folder: RunFolder, tmp_path: Path):
    """Study, scores and code as they are now: an edit reaches no job and no report of this run."""
    path = study_file("a", more='[scores]\nfile = "scores.csv"\nlabel = "made up"')
    (path.parent / "scores.csv").write_text("model,V1\na,0.5\n")
    plan = layout.write(validation.validate(path, tmp_path / "hub"), folder)
    before = path.read_bytes()
    path.write_text("edited")
    (path.parent / "scores.csv").write_text("edited")
    assert folder.study.read_bytes() == before
    assert folder.scores.read_text() == "model,V1\na,0.5\n"
    assert plan.study_sha256 == digest.sha256_of_bytes(before)
    assert plan.code_sha256 == digest.sha256_of_file(folder.code)
    assert plan.scores is not None
    assert (plan.scores.source, plan.scores.label) == ("scores.csv", "made up")


def test_the_same_study_gives_the_same_pairs(checked: ValidatedStudy, folder: RunFolder, tmp_path: Path):
    """In another folder, on another day: nothing that is finished is done again."""
    one = layout.write(checked, folder)
    other = layout.write(checked, RunFolder(tmp_path / "elsewhere"))
    assert [pair.id for pair in one] == [pair.id for pair in other]


def test_changed_weights_are_a_new_pair_and_the_old_outcome_is_stale(
    study_file: StudyFile, folder: RunFolder, tmp_path: Path
):
    path = study_file("a", "b")
    old = layout.write(validation.validate(path, tmp_path / "hub"), folder)
    for pair in old:
        outcome_file.write(folder.outcome(pair.id), tiny.record(pair, ["RRRW"] * len(pair.attack.budgets)))
    (path.parent / "a.safetensors").write_bytes(b"trained longer")
    new = layout.write(validation.validate(path, tmp_path / "hub"), folder)
    found = states(new, folder)
    gone = {pair.id for pair in old} - {pair.id for pair in new}
    assert {pair.model.name for pair in old if pair.id in gone} == {"a"}
    assert {found[pair_id] for pair_id in gone} == {"stale"}
    assert {pair.model.name: found[pair.id] for pair in new} == {"a": "missing", "b": "ok"}


def test_an_added_attack_adds_its_pairs_only(study_file: StudyFile, folder: RunFolder, tmp_path: Path):
    old = layout.write(validation.validate(study_file("a"), tmp_path / "hub"), folder)
    path = study_file("a")
    path.write_text(path.read_text() + '[[attacks]]\nmethod = "square"\nnorm = "L2"\neps = ["0.5"]\n')
    new = layout.write(validation.validate(path, tmp_path / "hub"), folder)
    assert [pair.id for pair in new][:2] == [pair.id for pair in old]
    assert len(new.planned) == 3


def test_an_image_that_cannot_be_decoded_leaves_no_run_folder(
    study_file: StudyFile, folder: RunFolder, tmp_path: Path
):
    path = study_file("a")
    for image in (path.parent / "images").rglob("*.png"):
        image.write_bytes(image.read_bytes()[:60])
    checked = validation.validate(path, tmp_path / "hub")
    with pytest.raises(ConfigErrors) as caught:
        layout.write(checked, folder)
    assert len(caught.value.errors) == 4, "one for each chosen image"
    assert not folder.root.exists()


def test_a_bad_image_leaves_an_earlier_run_as_it_was(study_file: StudyFile, folder: RunFolder, tmp_path: Path):
    path = study_file("a")
    layout.write(validation.validate(path, tmp_path / "hub"), folder)
    before = {file: file.read_bytes() for file in folder.root.rglob("*") if file.is_file()}
    for image in (path.parent / "images").rglob("*.png"):
        image.write_bytes(b"")
    with pytest.raises(ConfigErrors):
        layout.write(validation.validate(path, tmp_path / "hub"), folder)
    assert {file: file.read_bytes() for file in folder.root.rglob("*") if file.is_file()} == before


def test_the_plan_is_written_last(checked: ValidatedStudy, folder: RunFolder, monkeypatch: pytest.MonkeyPatch):
    """A folder with a plan has everything the plan names."""

    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(layout.atomic, "write", full)
    with pytest.raises(OSError, match="No space"):
        layout.write(checked, folder)
    assert not folder.plan.exists()


def test_odd_names_make_plain_files(study_file: StudyFile, folder: RunFolder, tmp_path: Path):
    """Quotes, spaces, dollars and dots of a model's name and its weights' stay out of the run folder's names."""
    names = ["a'; echo foo #", "b $(id) `id`", "ü.+ v2"]
    path = study_file(*names)
    plan = layout.write(validation.validate(path, tmp_path / "hub"), folder)
    assert [pair.model.name for pair in plan][::2] == names
    for file in (file for file in folder.root.rglob("*") if file.is_file()):
        assert set(file.name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-.")
    assert next(iter(Plan.read(folder))).model.name == names[0]
