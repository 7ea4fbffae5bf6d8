"""The studies in studies/ are valid, and can be submitted when their files exist."""

import csv
import re
import subprocess
import sys
from pathlib import Path

import pytest

from alignsec import digest
from alignsec.errors import ConfigErrors
from alignsec.images import imagenet
from alignsec.run.folder import RunFolder
from alignsec.run.plan import Plan
from alignsec.study.study import Study
from submit import validation
from submit.weights import address
from submit.weights.manifest import Manifest, PublishedFile, StagedFile
from tests import tiny

MODELS = {"brainscore-timm": 51, "brainscore": 211, "timm-benchmarks": 75, "chtc-smoke": 2}


def write_study(checkout: Path, folder: Path, name: str) -> Path:
    """Write a study with its data/ folder, with 4 images instead of 1000 and a short table of scores."""
    path = folder / "studies" / f"{name}.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    for number, wordnet in enumerate(list(imagenet.labels_by_wordnet_id())[:6]):
        tiny.write_image(folder / "data" / "imagenet-val" / wordnet / f"{number}.png", seed=number, mode="RGB")
    for scores in ("leaderboard.csv", "timm_public_benchmarks.csv"):
        (folder / "data" / scores).write_text("Model,V1\nalexnet,0.5\n")
    text = (checkout / "studies" / f"{name}.toml").read_text(encoding="utf-8")
    path.write_text(text.replace("count = 1000", "count = 4").replace("count = 20", "count = 4"), encoding="utf-8")
    return path


def write_fake_weights(study: Study, folder: Path) -> None:
    """Write a weights folder as `make weights` does, with files that contain no weights."""
    folder.mkdir()
    manifest = Manifest()
    for where in {address.weights_address(model) for model in study.models}:
        data = where.encode()
        sha256 = digest.sha256_of_bytes(data)
        suffix = "tar" if where.startswith(address.PLUGIN) else "safetensors"
        published = PublishedFile(url=where, name="w", sha256=sha256, bytes=len(data))
        file = f"weights-{sha256[:12]}.{suffix}"
        staged = StagedFile(file=file, sha256=sha256, bytes=len(data), published=published, fetched="now")
        (folder / file).write_bytes(data)
        manifest = manifest.with_file(where, staged)
    manifest.write(folder)


@pytest.mark.parametrize(("name", "models"), MODELS.items())
def test_all_missing_weights_are_reported_together(checkout: Path, tmp_path: Path, name: str, models: int):
    with pytest.raises(ConfigErrors) as caught:
        validation.validate(write_study(checkout, tmp_path, name), tmp_path / "hub", tmp_path / "weights")
    fields = [error.field for error in caught.value.errors]
    assert fields == [f"models[{index}].source" for index in range(models)]
    assert all("make weights STUDY=" in error.remedy for error in caught.value.errors)


@pytest.mark.parametrize(("name", "models"), MODELS.items())
def test_study_with_its_files_can_be_submitted(checkout: Path, tmp_path: Path, name: str, models: int):
    """`make submit DRY=1` validates it and writes the run folder with its DAG."""
    path = write_study(checkout, tmp_path, name)
    study = Study.load(path)
    write_fake_weights(study, tmp_path / "weights")
    places = {"RUNS": tmp_path / "runs", "WEIGHTS": tmp_path / "weights", "IMAGES": tmp_path / "images"}
    env = (checkout / ".env").read_text(encoding="utf-8")
    for key, place in places.items():
        env = re.sub(rf"^{key}=.*$", f"{key}={place}", env, flags=re.MULTILINE)
    (tmp_path / "site.env").write_text(env, encoding="utf-8")
    command = [sys.executable, "-m", "submit", str(path), "--env", str(tmp_path / "site.env"), "--dry"]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    folder = RunFolder(tmp_path / "runs" / name)
    plan = Plan.read(folder)
    assert len({pair.id for pair in plan}) == len(plan.planned) == models * len(study.attacks)
    assert (folder.root / "study.dag").read_text().count("\nJOB ") == len(plan.planned)
    assert f"not submitted; to submit, run: cd {folder.root} && condor_submit_dag study.dag" in done.stdout


@pytest.mark.parametrize("name", ["brainscore-timm", "brainscore"])
def test_model_names_are_rows_of_the_leaderboard(checkout: Path, shared: Path, tmp_path: Path, name: str):
    lines = (shared / "brainscore" / "leaderboard_20250908.csv").read_text(encoding="utf-8").splitlines()[1:]
    rows = {row["Model"] for row in csv.DictReader(lines)}
    assert {model.name for model in Study.load(write_study(checkout, tmp_path, name)).models} <= rows


def test_registered_rows_of_the_leaderboard_are_in_the_study_or_in_its_comments(
    checkout: Path, shared: Path, tmp_path: Path
):
    """Every registered row is a model of the study or is named at its end."""
    path = write_study(checkout, tmp_path, "brainscore")
    taken = {model.name for model in Study.load(path).models}
    text = path.read_text(encoding="utf-8")
    left_out = {
        word.strip(",") for line in text.splitlines() if line.startswith("# ") for word in line.split()[1:]
    }
    with (shared / "brainscore" / "registry.csv").open(newline="", encoding="utf-8") as file:
        listed = {row["registry_name"] for row in csv.DictReader(file) if row["in_scores_table"] == "yes"}
    assert len(listed) == 250
    assert listed - taken <= left_out
    assert taken <= listed


def test_study_has_all_timm_tags_with_1000_classes(checkout: Path, shared: Path, tmp_path: Path):
    taken = {model.name for model in Study.load(write_study(checkout, tmp_path, "timm-benchmarks")).models}
    with (shared / "brainscore" / "timm_public_benchmarks.csv").open(newline="", encoding="utf-8") as file:
        assert taken == {row["model_id"] for row in csv.DictReader(file) if row["num_classes"] == "1000"}
