"""`python -m submit`, as a user runs it."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from alignsec.run import outcome_file
from alignsec.run.folder import RunFolder
from alignsec.run.outcome import Record
from alignsec.run.plan import Plan
from submit import __main__ as entry
from submit import pool
from tests import tiny_networks
from tests.paths import CHECKOUT

StudyFile = Callable[..., Path]
EnvFile = Callable[..., Path]
Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def command(env_file: EnvFile, tmp_path: Path) -> Command:
    """Run the command on a study; the run folders are in the test's folder."""

    def run(
        study: Path, *more: str, before: tuple[str, ...] = (), **site: str
    ) -> "subprocess.CompletedProcess[str]":
        env = env_file(runs=str(tmp_path / "runs"), local_jobs="2", **site)
        words = [*before, sys.executable, "-m", "submit", str(study), "--env", str(env), *more]
        environ = {**os.environ, "HF_HUB_CACHE": str(tmp_path / "hub"), "COLUMNS": "200"}
        return subprocess.run(
            words, cwd=CHECKOUT, env=environ, capture_output=True, text=True, timeout=300, check=False
        )

    return run


def test_a_study_from_end_to_end(study_file: StudyFile, command: Command, tmp_path: Path):
    """Two models under two attacks, from the study file to the report. A second call runs no pair."""
    path = study_file("a", "b")
    for seed, name in enumerate("ab"):
        tiny_networks.save(tiny_networks.vit(seed), path.parent / f"{name}.safetensors")
    done = command(path, "--local")
    assert done.returncode == 0, done.stdout + done.stderr
    folder = RunFolder(tmp_path / "runs" / "tiny")
    plan = Plan.read(folder)
    for pair in plan:
        assert f"{pair.id}: ok" in done.stdout
        record = outcome_file.read(folder.outcome(pair.id))
        assert isinstance(record, Record)
        assert record.provenance.code == plan.code_sha256
    table = (folder.analysis / "table.csv").read_text().splitlines()
    assert len(table) == 1 + 2 * (1 + 2), "a row for each model, attack and budget"
    assert (folder.analysis / "report.html").stat().st_size > 1000
    before = {file: file.stat().st_mtime_ns for file in folder.outcomes.iterdir()}
    again = command(path, "--local")
    assert again.returncode == 0
    assert ": ok" not in again.stdout
    assert {file: file.stat().st_mtime_ns for file in folder.outcomes.iterdir()} == before


def test_a_failed_pair_fails_the_command(study_file: StudyFile, command: Command, tmp_path: Path):
    """The weights file is not a checkpoint: the analysis is still written, and the exit code is 1."""
    done = command(study_file("a", attacks='[[attacks]]\nmethod = "clean"\n'), "--local")
    assert done.returncode == 1, done.stderr
    assert "failed (ModelError: a: vit_tiny_patch16_224 cannot be built" in done.stdout
    assert (tmp_path / "runs" / "tiny" / "analysis" / "report.html").is_file()


def test_errors_of_the_study_are_reported_and_nothing_is_written(
    study_file: StudyFile, command: Command, tmp_path: Path
):
    path = study_file("a")
    path.write_text(path.read_text().replace('"1/255"', "4").replace("vit_tiny_patch16_224", "vit_tiny_patch16"))
    done = command(path, "--local")
    assert done.returncode == 2
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert [line.partition(": ")[0] for line in lines] == [str(path)] * 2
    assert "attacks[1].eps[0]: 4 is not a budget" in done.stderr
    assert "models[0]" in done.stderr
    assert not (tmp_path / "runs").exists()


def test_errors_of_the_site_are_reported(study_file: StudyFile, command: Command, tmp_path: Path):
    done = command(study_file("a"), "--local", retries="many")
    assert done.returncode == 2
    assert "site.env: RETRIES" in done.stderr
    assert not (tmp_path / "runs").exists()


def test_a_dry_run_writes_and_starts_nothing(study_file: StudyFile, command: Command, tmp_path: Path):
    done = command(study_file("a"), "--local", "--dry")
    assert done.returncode == 0, done.stderr
    assert "2 pairs, 4 images" in done.stdout
    folder = RunFolder(tmp_path / "runs" / "tiny")
    assert len(Plan.read(folder).planned) == 2
    assert list(folder.outcomes.iterdir()) == []


def test_a_full_disk_is_reported_in_one_line(
    study_file: StudyFile, command: Command, tmp_path: Path, small_disk: list[str]
):
    """A real file system of 64 kB is too small for the code: one message, no traceback."""
    disk = tmp_path / "runs"
    disk.mkdir()
    done = command(study_file("a"), "--local", before=(*small_disk, str(disk)))
    assert done.returncode == 1, done.stderr
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_python_is_reported(study_file: StudyFile, command: Command):
    done = command(study_file("a"), "--local", python="/no/such/python")
    assert done.returncode == 2
    assert '.env: PYTHON: "/no/such/python" is not a program' in done.stderr


def test_without_a_pool_nothing_is_written(
    study_file: StudyFile,
    env_file: EnvFile,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    """HTCondor is not on PATH, CONDOR_CONFIG is unset, and no private pool runs: one message with the remedies."""
    runs = tmp_path / "runs"
    env = env_file(runs=str(runs))
    monkeypatch.setattr(pool, "find", lambda *_: None)
    monkeypatch.setattr("sys.argv", ["submit", str(study_file("a")), "--env", str(env)])
    assert entry.main() == 2
    assert not runs.exists()
    message = capsys.readouterr().err
    assert "HTCondor not found" in message
    assert "make pool" in message
    assert "make local" in message


def test_dry_shows_the_labels_and_duplicates(study_file: StudyFile, command: Command):
    """The mapping of labels, compared with the models' classes, and images with the same content."""
    path = study_file("a", images="stratified = true")
    path.write_text(path.read_text().replace("count = 4\n", "").replace("stratified = true", ""))
    tiny_networks.save(tiny_networks.vit(0), path.parent / "a.safetensors")
    images = path.parent / "images"
    (images / "2" / "1.png").write_bytes((images / "0" / "0.png").read_bytes())
    done = command(path, "--dry")
    assert done.returncode == 0, done.stderr
    expected = (
        "names of the class folders, which are whole numbers, 3 classes: 0 = 0, 1 = 1, 2 = 2; 1 model with 5"
    )
    assert f"labels: {expected} classes" in done.stdout
    assert (
        "1 of 6 images is a copy of another image by content: 0/0.png = 2/1.png; with another label" in done.stdout
    )


def test_labels_of_other_classes_than_the_models_are_refused(study_file: StudyFile, command: Command):
    """Sorted folders must be as many as the model's classes; WordNet ids need ImageNet's 1000 classes."""
    path = study_file("a", images='class_order = "sorted"')
    done = command(path, "--dry")
    assert done.returncode == 2
    assert 'models[0]: "a" has 5 classes, but the labels are those of 3 classes (sorted order of' in done.stderr
