"""Validation: all errors of a study and its files are reported before anything is written."""

from collections.abc import Callable
from pathlib import Path

import pytest

from alignsec import digest
from alignsec.errors import ConfigErrors
from alignsec.run.folder import RunFolder
from alignsec.spec.pair import Published
from submit import layout, validation
from tests import tiny

StudyFile = Callable[..., Path]


def test_a_results_table_applies_to_the_tags_it_lists(study_file: StudyFile, tmp_path: Path):
    """Rows are matched by tag. A model's own value takes precedence; a local checkpoint has no tag."""
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
    validated = validation.validate(path, hub)
    assert validated.published == {
        "t": Published(top1=0.715, tolerance=0.02, where="results.csv"),
        "own": Published(top1=0.6),
    }
    plan = layout.write_run_folder(validated, RunFolder(tmp_path / "run"))
    assert {pair.model.name: pair.model.published for pair in plan}["t"] == validated.published["t"]
    (path.parent / "results.csv").write_text("model,top1\nresnet18.a1_in1k,\n")
    with pytest.raises(ConfigErrors, match='line 2: "" is not a top-1 accuracy'):
        validation.validate(path, hub)


def test_missing_inputs_of_a_corruption_are_reported(study_file: StudyFile, tmp_path: Path):
    """A set that lacks a folder or images."""
    path = study_file("a", attacks=tiny.FOG, images='corrupted = "c"')
    for image in sorted((path.parent / "images").rglob("*.png"))[1:]:
        tiny.write_image(path.parent / "c/fog/1" / image.relative_to(path.parent / "images"), seed=1)
    with pytest.raises(ConfigErrors) as caught:
        validation.validate(path, tmp_path / "hub")
    found = {Path(error.path).relative_to(path.parent).as_posix() for error in caught.value.errors}
    assert "c/fog/2" in found


@pytest.mark.parametrize("data", [b"PK\x03\x04 cut", b"Model,V1\n", b"<html>not found</html>", b"\xff\xfe"])
def test_scores_are_read_completely_before_submission(study_file: StudyFile, tmp_path: Path, data: bytes):
    path = study_file("a", more='[scores]\nfile = "scores.csv"')
    (path.parent / "scores.csv").write_bytes(data)
    with pytest.raises(ConfigErrors) as caught:
        validation.validate(path, tmp_path)
    (error,) = caught.value.errors
    assert error.field == "scores.file"
    assert "Download the file again" in error.remedy


def test_another_snapshot_of_the_scores_is_reported(study_file: StudyFile, tmp_path: Path):
    """One error gives both digests. The pinned file is valid, and its date is in the plan."""
    data = b"model,V1\na,0.5\n"
    pin = f'[scores]\nfile = "scores.csv"\nsha256 = "{digest.sha256_of_bytes(data)}"\ndate = "2025-09-08"'
    path = study_file("a", more=pin)
    (path.parent / "scores.csv").write_bytes(data)
    plan = layout.write_run_folder(validation.validate(path, tmp_path / "hub"), RunFolder(tmp_path / "pinned"))
    assert plan.scores is not None
    assert plan.scores.date == "2025-09-08"
    (path.parent / "scores.csv").write_bytes(data + b"b,0.6\n")
    with pytest.raises(ConfigErrors) as caught:
        validation.validate(path, tmp_path / "hub")
    (error,) = caught.value.errors
    assert (error.field, error.given) == ("scores.sha256", f'"{digest.sha256_of_bytes(data)[:16]}…"')
    assert digest.sha256_of_bytes(data + b"b,0.6\n") in error.remedy


def test_nothing_is_written_for_an_invalid_study(study_file: StudyFile, tmp_path: Path):
    """Weights missing in the hub's cache, labels outside the classes, and more images than exist."""
    path = study_file("a")
    text = path.read_text().replace("count = 4", "count = 40").replace("num_classes = 5", "num_classes = 2")
    tag = '[[models]]\nname = "t"\nsource = "timm:resnet18.a1_in1k"\n'
    path.write_text(text + tag)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ConfigErrors) as caught:
        validation.validate(path, tmp_path / "hub")
    messages = [str(error).removeprefix(f"{path}: ") for error in caught.value.errors]
    missing = f"has no weights in {tmp_path / 'hub'}; run make weights STUDY={path}"
    assert f'models[1].source: "timm:resnet18.a1_in1k" {missing}' in messages[0]
    assert "images.count: 40 is more than the 6 images of the source" in messages[1]
    assert 'models[0]: "a" has 2 classes, 0 to 1, but 2 images have labels outside' in messages[2]
    assert sorted(tmp_path.rglob("*")) == before
