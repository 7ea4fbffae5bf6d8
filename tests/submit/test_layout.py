"""Layout: the run folder that is written from a validated study."""

from collections.abc import Callable
from pathlib import Path

import pytest

from alignsec import digest
from alignsec.errors import ConfigErrors
from alignsec.run import outcome_file, status
from alignsec.run.folder import RunFolder
from alignsec.run.pair_shard import read_pair
from alignsec.run.plan import Plan
from submit import layout, validation
from submit.validation import ValidatedStudy
from tests import tiny

StudyFile = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """A run folder that does not exist yet."""
    return RunFolder(tmp_path / "runs" / "tiny")


def states(plan: Plan, folder: RunFolder) -> dict[str, str]:
    return {one.id: one.state for one in status.read_statuses(plan, folder.outcomes)}


def test_every_model_is_paired_with_every_attack(validated: ValidatedStudy, folder: RunFolder):
    plan = layout.write_run_folder(validated, folder)
    assert [(pair.model.name, pair.attack.name) for pair in plan] == [
        *(("a", "clean"), ("a", "apgd-ce-Linf"), ("b", "clean"), ("b", "apgd-ce-Linf")),
    ]
    assert Plan.read(folder) == plan


def test_the_run_folder_holds_each_pair_and_its_inputs(validated: ValidatedStudy, folder: RunFolder):
    """Weights and images have the names and digests that the file of pairs states."""
    plan = layout.write_run_folder(validated, folder)
    for planned in plan.planned:
        pair = read_pair(folder.pair_file("shard-00000"), planned.pair.id)
        assert pair == planned.pair
        weights, images = (folder.root / path for path in planned.inputs)
        assert (weights.name, images.name) == (pair.model.weights.name, pair.images.name)
        assert digest.sha256_of_file(weights) == pair.model.weights.sha256
        assert len(list(tiny.read_pack(images, pair.images.sha256))) == plan.image_count == 4


def test_a_custom_attack_is_copied_into_the_run(study_file: StudyFile, folder: RunFolder, tmp_path: Path):
    """The pair names the file by digest, which is part of the pair's id; the file's own name is not."""
    path = study_file("a")
    code = path.parent / "my attacks.py"
    code.write_text("def pgd(classifier, images, labels, norm, eps):\n    return 1\n")
    more = '[[attacks]]\nmethod = "python:my attacks.py:pgd"\nnorm = "Linf"\neps = ["1/255"]\n'
    text = path.read_text()
    path.write_text(f"{text}\n{more}")
    plan = layout.write_run_folder(validation.validate(path, tmp_path / "hub"), folder)
    planned = plan.planned[-1]
    assert Plan.read(folder) == plan
    assert [Path(one).parent.name for one in planned.inputs] == ["weights", "sources", "images"]
    assert planned.pair.attack.method == "python:pgd"
    assert planned.pair.attack_code is not None
    assert digest.sha256_of_file(folder.root / planned.inputs[1]) == planned.pair.attack_code.sha256
    assert read_pair(folder.pair_file("shard-00000"), planned.pair.id) == planned.pair
    renamed = code.rename(path.parent / "other.py")
    path.write_text(f"{text}\n{more.replace('my attacks', 'other')}")
    again = layout.write_run_folder(validation.validate(path, tmp_path / "hub"), folder)
    assert again.planned[-1].pair.id == planned.pair.id
    renamed.write_text("def pgd(classifier, images, labels, norm, eps):\n    return 2\n")
    changed = layout.write_run_folder(validation.validate(path, tmp_path / "hub"), folder)
    assert changed.planned[-1].pair.id != planned.pair.id


def test_a_users_code_is_copied_into_the_run(study_file: StudyFile, folder: RunFolder, tmp_path: Path):
    """The copy is named by digest, and later edits do not change it. The model needs no weights."""
    path = study_file("a")
    code = path.parent / "my models.py"
    code.write_text("def build():\n    return 1\n")
    text = path.read_text().replace('weights = "a.safetensors"\n', "classes = 5\n").replace("num_classes = 5", "")
    path.write_text(text.replace("timm:vit_tiny_patch16_224", "python:my models.py:build"))
    plan = layout.write_run_folder(validation.validate(path, tmp_path / "hub"), folder)
    inputs = plan.planned[0].inputs
    assert [Path(one).parent.name for one in inputs] == ["sources", "images"]
    model = plan.planned[0].pair.model
    assert model.code is not None
    assert (model.weights, model.source) == (None, "python:build")
    code.write_text("def build():\n    return 2\n")
    assert digest.sha256_of_file(folder.root / inputs[0]) == model.code.sha256
    again = layout.write_run_folder(validation.validate(path, tmp_path / "hub"), folder)
    assert {pair.id for pair in again}.isdisjoint(pair.id for pair in plan), "changed code makes another model"


def test_each_corruption_of_a_set_has_its_own_pack(study_file: StudyFile, folder: RunFolder, tmp_path: Path):
    """The pack holds the chosen images only, and only pairs of its corruption receive it."""
    path = study_file("a", attacks=tiny.FOG, images='corrupted = "c"')
    for severity in (1, 2):
        for at, image in enumerate(sorted((path.parent / "images").rglob("*.png"))):
            place = path.parent / "c" / "fog" / str(severity) / image.relative_to(path.parent / "images")
            tiny.write_image(place, seed=1000 * severity + at)
    plan = layout.write_run_folder(validation.validate(path, tmp_path / "hub"), folder)
    clean, *fogs = plan.planned
    assert (clean.pair.corrupted, len(clean.inputs)) == (None, 2)
    assert len({fog.pair.corrupted.sha256 for fog in fogs}) == 2
    for fog in fogs:
        corrupted = list(tiny.read_pack(folder.root / fog.inputs[2], fog.pair.corrupted.sha256))
        images = list(tiny.read_pack(folder.root / fog.inputs[1], fog.pair.images.sha256))
        assert [(one.name, one.label) for one in corrupted] == [(one.name, one.label) for one in images]
        assert not {one.data for one in corrupted} & {one.data for one in images}
    assert Plan.read(folder) == plan


def test_later_edits_do_not_change_a_run(study_file: StudyFile, folder: RunFolder, tmp_path: Path):
    """The run folder has its own copies of study, scores and code."""
    path = study_file("a", more='[scores]\nfile = "scores.csv"\nlabel = "made up"')
    (path.parent / "scores.csv").write_text("model,V1\na,0.5\n")
    plan = layout.write_run_folder(validation.validate(path, tmp_path / "hub"), folder)
    before = path.read_bytes()
    path.write_text("edited")
    (path.parent / "scores.csv").write_text("edited")
    assert folder.study.read_bytes() == before
    assert folder.scores.read_text() == "model,V1\na,0.5\n"
    assert plan.study_sha256 == digest.sha256_of_bytes(before)
    assert plan.code_sha256 == digest.sha256_of_file(folder.code)
    assert plan.scores is not None
    assert (plan.scores.source, plan.scores.label) == ("scores.csv", "made up")


def test_the_same_study_gives_the_same_pairs(validated: ValidatedStudy, folder: RunFolder, tmp_path: Path):
    """Ids do not depend on folder and time, so finished pairs are not repeated."""
    one = layout.write_run_folder(validated, folder)
    other = layout.write_run_folder(validated, RunFolder(tmp_path / "elsewhere"))
    assert [pair.id for pair in one] == [pair.id for pair in other]


def test_changed_weights_make_a_new_pair_and_a_stale_outcome(
    study_file: StudyFile, folder: RunFolder, tmp_path: Path
):
    path = study_file("a", "b")
    old = layout.write_run_folder(validation.validate(path, tmp_path / "hub"), folder)
    for pair in old:
        outcome_file.write(folder.outcome(pair.id), tiny.record(pair, ["RRRW"] * len(pair.attack.budgets)))
    (path.parent / "a.safetensors").write_bytes(b"trained longer")
    new = layout.write_run_folder(validation.validate(path, tmp_path / "hub"), folder)
    found = states(new, folder)
    gone = {pair.id for pair in old} - {pair.id for pair in new}
    assert {pair.model.name for pair in old if pair.id in gone} == {"a"}
    assert {found[pair_id] for pair_id in gone} == {"stale"}
    assert {pair.model.name: found[pair.id] for pair in new} == {"a": "missing", "b": "ok"}


def test_an_added_attack_adds_only_its_pairs(study_file: StudyFile, folder: RunFolder, tmp_path: Path):
    old = layout.write_run_folder(validation.validate(study_file("a"), tmp_path / "hub"), folder)
    path = study_file("a")
    path.write_text(path.read_text() + '[[attacks]]\nmethod = "square"\nnorm = "L2"\neps = ["0.5"]\n')
    new = layout.write_run_folder(validation.validate(path, tmp_path / "hub"), folder)
    assert [pair.id for pair in new][:2] == [pair.id for pair in old]
    assert len(new.planned) == 3


def test_an_image_that_cannot_be_decoded_leaves_no_run_folder(
    study_file: StudyFile, folder: RunFolder, tmp_path: Path
):
    path = study_file("a")
    for image in (path.parent / "images").rglob("*.png"):
        image.write_bytes(image.read_bytes()[:60])
    validated = validation.validate(path, tmp_path / "hub")
    with pytest.raises(ConfigErrors) as caught:
        layout.write_run_folder(validated, folder)
    assert len(caught.value.errors) == 4, "one error for each chosen image"
    assert not folder.root.exists()


def test_a_damaged_image_leaves_an_earlier_run_unchanged(study_file: StudyFile, folder: RunFolder, tmp_path: Path):
    path = study_file("a")
    layout.write_run_folder(validation.validate(path, tmp_path / "hub"), folder)
    before = {file: file.read_bytes() for file in folder.root.rglob("*") if file.is_file()}
    for image in (path.parent / "images").rglob("*.png"):
        image.write_bytes(b"")
    with pytest.raises(ConfigErrors):
        layout.write_run_folder(validation.validate(path, tmp_path / "hub"), folder)
    assert {file: file.read_bytes() for file in folder.root.rglob("*") if file.is_file()} == before


def test_the_plan_is_written_last(validated: ValidatedStudy, folder: RunFolder, monkeypatch: pytest.MonkeyPatch):
    """A folder that has a plan has everything that the plan names."""

    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(layout.atomic, "write_atomic", full)
    with pytest.raises(OSError, match="No space"):
        layout.write_run_folder(validated, folder)
    assert not folder.plan.exists()


def test_unusual_names_do_not_reach_file_names(study_file: StudyFile, folder: RunFolder, tmp_path: Path):
    """Quotes, spaces and dollar signs in names of models and weights do not appear in the run folder."""
    names = ["a'; echo foo #", "b $(id) `id`", "ü.+ v2"]
    path = study_file(*names)
    plan = layout.write_run_folder(validation.validate(path, tmp_path / "hub"), folder)
    assert [pair.model.name for pair in plan][::2] == names
    for file in (file for file in folder.root.rglob("*") if file.is_file()):
        assert set(file.name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-.")
    assert next(iter(Plan.read(folder))).model.name == names[0]


def test_another_study_with_the_same_name_is_refused(study_file: StudyFile, folder: RunFolder, tmp_path: Path):
    """Both paths and the remedy are in the message. An edited, copied or moved study file is the same study."""
    path = study_file("a")
    first = layout.write_run_folder(validation.validate(path, tmp_path / "hub"), folder)
    other = path.with_name("other.toml")
    other.write_bytes(path.read_bytes())
    layout.write_run_folder(validation.validate(other, tmp_path / "hub"), folder)
    path.write_text(path.read_text() + "\n# edited\n")
    with pytest.raises(ConfigErrors, match="is also the name of the study") as caught:
        layout.write_run_folder(validation.validate(path, tmp_path / "hub"), folder)
    assert f"{path}: name: tiny is also" in str(caught.value)
    assert str(other) in str(caught.value)
    assert "another name, or move that run folder" in str(caught.value)
    assert Plan.read(folder).study_file == str(other.resolve())
    other.unlink()
    assert layout.write_run_folder(validation.validate(path, tmp_path / "hub"), folder).planned == first.planned
