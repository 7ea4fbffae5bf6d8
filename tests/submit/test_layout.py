"""Layout: a study in, a run folder out; everything is checked before anything is written."""

from collections.abc import Callable
from pathlib import Path

import pytest

from alignsec import digest, image_pack, outcome_file, status
from alignsec.mistake import Mistakes
from alignsec.pair import Pair, Published
from alignsec.run_folder import Plan, RunFolder
from submit import layout
from submit.layout import Checked
from tests import tiny

StudyFile = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """Where the run folder is to be; not there yet."""
    return RunFolder(tmp_path / "runs" / "tiny")


def states(plan: Plan, folder: RunFolder) -> dict[str, str]:
    return {one.id: one.state for one in status.survey(plan, folder.outcomes)}


def test_every_model_meets_every_attack(checked: Checked, folder: RunFolder):
    plan = layout.write(checked, folder)
    assert [(pair.model.name, pair.attack.name) for pair in plan] == [
        *(("a", "clean"), ("a", "apgd-ce-Linf"), ("b", "clean"), ("b", "apgd-ce-Linf")),
    ]
    assert Plan.read(folder) == plan


def test_a_pair_and_its_inputs_are_all_that_a_job_needs(checked: Checked, folder: RunFolder):
    """Pair file, weights and images lie in the run folder, under the names and digests that the pair tells."""
    plan = layout.write(checked, folder)
    for planned in plan.planned:
        pair = Pair.model_validate_json(folder.pair(planned.pair.id).read_bytes())
        assert pair == planned.pair
        weights, images = (folder.root / path for path in planned.inputs)
        assert (weights.name, images.name) == (pair.model.weights.name, pair.images.name)
        assert digest.of_file(weights) == pair.model.weights.sha256
        assert len(list(image_pack.read(images, pair.images.sha256))) == plan.image_count == 4


def test_a_results_table_holds_the_tags_it_names(study_file: StudyFile, tmp_path: Path):
    """Joined by tag; a model's own statement goes first, a local checkpoint is nobody's tag."""
    path = study_file("a", more='[published]\nfile = "results.csv"\ntolerance = 0.02')
    tags = [
        ("t", "resnet18.a1_in1k", ""),
        ("u", "resnet18.a2_in1k", ""),
        ("own", "resnet18.a1_in1k", "top1 = 0.6"),
    ]
    path.write_text(
        path.read_text()
        + "".join(
            f'[[models]]\nname = "{n}"\nsource = "timm:{tag}"\npublished = {{ {own} }}\n'
            for n, tag, own in tags
            if own
        )
        + "".join(f'[[models]]\nname = "{n}"\nsource = "timm:{tag}"\n' for n, tag, own in tags if not own)
    )
    (path.parent / "results.csv").write_text("model,top1\nresnet18.a1_in1k,71.5\nvit_tiny_patch16_224,99\n")
    hub = tmp_path / "hub"
    for _, tag, _ in tags:
        home = hub / f"models--timm--{tag}"
        for place, text in (("refs/main", "r"), ("snapshots/r/model.safetensors", tag)):
            (home / place).parent.mkdir(parents=True, exist_ok=True)
            (home / place).write_text(text)
    checked = layout.check(path, hub)
    assert checked.published == {
        "t": Published(top1=0.715, tolerance=0.02, where="results.csv"),
        "own": Published(top1=0.6),
    }
    plan = layout.write(checked, RunFolder(tmp_path / "run"))
    assert {pair.model.name: pair.model.published for pair in plan}["t"] == checked.published["t"]
    (path.parent / "results.csv").write_text("model,top1\nresnet18.a1_in1k,\n")
    with pytest.raises(Mistakes, match='line 2: "" is not a top-1 accuracy'):
        layout.check(path, hub)


def test_a_users_code_travels_with_the_run(study_file: StudyFile, folder: RunFolder, tmp_path: Path):
    """A copy named by digest, which an edit of the user's file does not reach; no weights are wanted."""
    path = study_file("a")
    code = path.parent / "my models.py"
    code.write_text("def build():\n    return 1\n")
    text = path.read_text().replace('weights = "a.safetensors"\n', "classes = 5\n").replace("num_classes = 5", "")
    path.write_text(text.replace("timm:vit_tiny_patch16_224", "python:my models.py:build"))
    plan = layout.write(layout.check(path, tmp_path / "hub"), folder)
    handed = plan.planned[0].inputs
    assert [Path(one).parent.name for one in handed] == ["sources", "images"]
    model = plan.planned[0].pair.model
    assert model.code is not None
    assert (model.weights, model.source) == (None, "python:build")
    code.write_text("def build():\n    return 2\n")
    assert digest.of_file(folder.root / handed[0]) == model.code.sha256
    again = layout.write(layout.check(path, tmp_path / "hub"), folder)
    assert {pair.id for pair in again}.isdisjoint(pair.id for pair in plan), "other code is another model"


FOG = """
[[attacks]]
method = "clean"
[[attacks]]
method = "corruption"
corruption = "fog"
severity = [1, 2]
"""


def test_a_set_of_corrupted_images_is_a_pack_each(study_file: StudyFile, folder: RunFolder, tmp_path: Path):
    """Of the chosen images alone; only the pairs of that corruption are handed it, and plan.json keeps which."""
    path = study_file("a", attacks=FOG, images='corrupted = "c"')
    for severity in (1, 2):
        for at, image in enumerate(sorted((path.parent / "images").rglob("*.png"))):
            place = path.parent / "c" / "fog" / str(severity) / image.relative_to(path.parent / "images")
            tiny.write_image(place, seed=1000 * severity + at)
    plan = layout.write(layout.check(path, tmp_path / "hub"), folder)
    clean, *fogs = plan.planned
    assert (clean.pair.corrupted, len(clean.inputs)) == (None, 2)
    assert len({fog.pair.corrupted.sha256 for fog in fogs}) == 2
    for fog in fogs:
        corrupted = list(image_pack.read(folder.root / fog.inputs[2], fog.pair.corrupted.sha256))
        images = list(image_pack.read(folder.root / fog.inputs[1], fog.pair.images.sha256))
        assert [(one.name, one.label) for one in corrupted] == [(one.name, one.label) for one in images]
        assert not {one.data for one in corrupted} & {one.data for one in images}
    assert Plan.read(folder) == plan


def test_what_a_corruption_lacks_is_told_before_anything_is_written(study_file: StudyFile, tmp_path: Path):
    """Images too small for the library; a set without one of the folders, or without one of the images."""
    with pytest.raises(Mistakes, match="sees images of 16 x 16 pixels, and corruptions are made from 32 a side"):
        layout.check(study_file("a", attacks=FOG), tmp_path / "hub")
    path = study_file("a", attacks=FOG, images='corrupted = "c"')
    for image in sorted((path.parent / "images").rglob("*.png"))[1:]:
        tiny.write_image(path.parent / "c/fog/1" / image.relative_to(path.parent / "images"), seed=1)
    with pytest.raises(Mistakes) as caught:
        layout.check(path, tmp_path / "hub")
    found = {Path(mistake.file).relative_to(path.parent).as_posix() for mistake in caught.value.mistakes}
    assert "c/fog/2" in found


def test_the_run_keeps_what_it_was_made_of(study_file: StudyFile, folder: RunFolder, tmp_path: Path):
    """Study, scores and code as they are now: an edit reaches no job and no report of this run."""
    path = study_file("a", more='[scores]\nfile = "scores.csv"\nlabel = "made up"')
    (path.parent / "scores.csv").write_text("model,V1\na,0.5\n")
    plan = layout.write(layout.check(path, tmp_path / "hub"), folder)
    before = path.read_bytes()
    path.write_text("edited")
    (path.parent / "scores.csv").write_text("edited")
    assert folder.study.read_bytes() == before
    assert folder.scores.read_text() == "model,V1\na,0.5\n"
    assert plan.study_sha256 == digest.of_bytes(before)
    assert plan.code_sha256 == digest.of_file(folder.code)
    assert plan.scores is not None
    assert (plan.scores.source, plan.scores.label) == ("scores.csv", "made up")


def test_another_snapshot_of_the_scores_is_told_with_everything_else(study_file: StudyFile, tmp_path: Path):
    """One mistake, with both digests; the right file passes, and its date is in the plan."""
    data = b"model,V1\na,0.5\n"
    pin = f'[scores]\nfile = "scores.csv"\nsha256 = "{digest.of_bytes(data)}"\ndate = "2025-09-08"'
    path = study_file("a", more=pin)
    (path.parent / "scores.csv").write_bytes(data)
    plan = layout.write(layout.check(path, tmp_path / "hub"), RunFolder(tmp_path / "pinned"))
    assert plan.scores is not None
    assert plan.scores.date == "2025-09-08"
    (path.parent / "scores.csv").write_bytes(data + b"b,0.6\n")
    with pytest.raises(Mistakes) as told:
        layout.check(path, tmp_path / "hub")
    (mistake,) = told.value.mistakes
    assert (mistake.field, mistake.given) == ("scores.sha256", f'"{digest.of_bytes(data)[:16]}…"')
    assert digest.of_bytes(data + b"b,0.6\n") in mistake.remedy


def test_the_same_study_gives_the_same_pairs(checked: Checked, folder: RunFolder, tmp_path: Path):
    """In another folder, on another day: nothing that is finished is done again."""
    one = layout.write(checked, folder)
    other = layout.write(checked, RunFolder(tmp_path / "elsewhere"))
    assert [pair.id for pair in one] == [pair.id for pair in other]


def test_changed_weights_are_a_new_pair_and_the_old_outcome_is_stale(
    study_file: StudyFile, folder: RunFolder, tmp_path: Path
):
    path = study_file("a", "b")
    old = layout.write(layout.check(path, tmp_path / "hub"), folder)
    for pair in old:
        outcome_file.write(folder.outcome(pair.id), tiny.record(pair, ["RRRW"] * len(pair.attack.budgets)))
    (path.parent / "a.safetensors").write_bytes(b"trained longer")
    new = layout.write(layout.check(path, tmp_path / "hub"), folder)
    found = states(new, folder)
    gone = {pair.id for pair in old} - {pair.id for pair in new}
    assert {pair.model.name for pair in old if pair.id in gone} == {"a"}
    assert {found[pair_id] for pair_id in gone} == {"stale"}
    assert {pair.model.name: found[pair.id] for pair in new} == {"a": "missing", "b": "ok"}


def test_an_added_attack_adds_its_pairs_only(study_file: StudyFile, folder: RunFolder, tmp_path: Path):
    old = layout.write(layout.check(study_file("a"), tmp_path / "hub"), folder)
    path = study_file("a")
    path.write_text(path.read_text() + '[[attacks]]\nmethod = "square"\nnorm = "L2"\neps = ["0.5"]\n')
    new = layout.write(layout.check(path, tmp_path / "hub"), folder)
    assert [pair.id for pair in new][:2] == [pair.id for pair in old]
    assert len(new.planned) == 3


def test_nothing_is_written_for_a_study_with_mistakes(study_file: StudyFile, tmp_path: Path):
    """All that is missing in a sound study: weights in the hub's cache, labels, too many images."""
    path = study_file("a")
    text = path.read_text().replace("count = 4", "count = 40").replace("num_classes = 5", "num_classes = 2")
    tag = '[[models]]\nname = "t"\nsource = "timm:resnet18.a1_in1k"\n'
    path.write_text(text + tag)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(Mistakes) as caught:
        layout.check(path, tmp_path / "hub")
    said = [str(mistake).removeprefix(f"{path}: ") for mistake in caught.value.mistakes]
    missing = f"has no weights in {tmp_path / 'hub'}; make weights STUDY={path} fetches it"
    assert f'models[1].source: "timm:resnet18.a1_in1k" {missing}' in said[0]
    assert "images.count: 40 is more than the 6 images" in said[1]
    assert 'models[0]: "a" has 2 classes, 0 to 1, but 2 images have labels outside' in said[2]
    assert sorted(tmp_path.rglob("*")) == before


def test_an_image_that_cannot_be_decoded_leaves_no_run_folder(
    study_file: StudyFile, folder: RunFolder, tmp_path: Path
):
    path = study_file("a")
    for image in (path.parent / "images").rglob("*.png"):
        image.write_bytes(image.read_bytes()[:60])
    checked = layout.check(path, tmp_path / "hub")
    with pytest.raises(Mistakes) as caught:
        layout.write(checked, folder)
    assert len(caught.value.mistakes) == 4, "one for each chosen image"
    assert not folder.root.exists()


def test_a_bad_image_leaves_an_earlier_run_as_it_was(study_file: StudyFile, folder: RunFolder, tmp_path: Path):
    path = study_file("a")
    layout.write(layout.check(path, tmp_path / "hub"), folder)
    before = {file: file.read_bytes() for file in folder.root.rglob("*") if file.is_file()}
    for image in (path.parent / "images").rglob("*.png"):
        image.write_bytes(b"")
    with pytest.raises(Mistakes):
        layout.write(layout.check(path, tmp_path / "hub"), folder)
    assert {file: file.read_bytes() for file in folder.root.rglob("*") if file.is_file()} == before


def test_the_plan_is_written_last(checked: Checked, folder: RunFolder, monkeypatch: pytest.MonkeyPatch):
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
    plan = layout.write(layout.check(path, tmp_path / "hub"), folder)
    assert [pair.model.name for pair in plan][::2] == names
    for file in (file for file in folder.root.rglob("*") if file.is_file()):
        assert set(file.name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-.")
    assert next(iter(Plan.read(folder))).model.name == names[0]
