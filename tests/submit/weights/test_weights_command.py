"""The command `python -m submit.weights`."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from submit import validation
from submit.weights.manifest import Manifest
from tests.submit.weights import file_server
from tests.submit.weights.file_server import Fault, safetensors

StudyFile = Callable[..., Path]
EnvFile = Callable[..., Path]
TAGS = ("resnet18.a1_in1k", "resnet34.a1_in1k", "resnet50.a1_in1k")


@pytest.fixture
def study(study_file: StudyFile) -> Path:
    """A study of one model with its own weights and three tags, one of them twice."""
    path = study_file("own")
    models = "".join(
        f'[[models]]\nname = "m{n}"\nsource = "timm:{tag}"\n' for n, tag in enumerate((*TAGS, TAGS[0]))
    )
    path.write_text(path.read_text() + models)
    return path


def run(checkout: Path, study: Path, env: Path, url: str) -> "subprocess.CompletedProcess[str]":
    environ = {**os.environ, "HF_ENDPOINT": url, "NO_PROXY": "127.0.0.1,localhost", "COLUMNS": "200"}
    words = [sys.executable, "-m", "submit.weights", str(study), "--env", str(env)]
    return subprocess.run(
        words, cwd=checkout, env=environ, capture_output=True, text=True, timeout=120, check=False
    )


def test_a_staged_study_can_be_submitted(checkout: Path, study: Path, env_file: EnvFile, tmp_path: Path):
    """A file is missing on the hub. After it is published, only this file is downloaded; then nothing is."""
    folder = tmp_path / "weights"
    env = env_file(weights=str(folder), runs=str(tmp_path / "runs"))
    with file_server.run_server() as server:
        for number, tag in enumerate(TAGS[:2]):
            server.publish_on_hub(f"timm/{tag}", safetensors(4000 + number))
        first = run(checkout, study, env, server.url)
        assert first.returncode == 1, first.stderr
        assert f'{study}: models[3].source: "timm:resnet50.a1_in1k" could not be downloaded: ' in first.stderr
        assert first.stderr.count("could not be downloaded") == 1
        assert "0 of 3 files present, 3 to download; 1 models have their own weights" in first.stdout
        assert len(Manifest.read(folder).weights) == 2
        server.publish_on_hub(f"timm/{TAGS[2]}", safetensors(9000))
        server.requests.clear()
        second = run(checkout, study, env, server.url)
        assert second.returncode == 0, second.stderr
        assert {path.split("/")[2] for _, path, _ in server.requests if "resolve" in path} == {TAGS[2]}
        server.requests.clear()
        third = run(checkout, study, env, server.url)
        assert third.returncode == 0
        assert server.requests == []
        assert "3 of 3 files present, 0 to download" in third.stdout
    checked = validation.validate(study, tmp_path / "hub", folder)
    assert checked.weights["m0"] == checked.weights["m3"]
    assert checked.weights["m2"].path.parent == folder


WITHOUT = """
import runpy, sys
sys.modules["httpx2"] = None
sys.argv = ["staging", "x.toml"]
runpy.run_module("submit.weights", run_name="__main__")
"""


def test_without_its_libraries_the_error_names_the_requirements(checkout: Path):
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT], cwd=checkout, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "the command needs requirements/staging.txt; run it as make weights, which installs it" in done.stderr
    assert (checkout / "requirements" / "staging.txt").is_file()
    assert "Traceback" not in done.stderr


def test_submission_does_not_import_the_staging_libraries(checkout: Path):
    """An access point that only submits has only the libraries of requirements/access-point.txt."""
    program = "import sys, submit.__main__; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=checkout, capture_output=True, text=True, check=True
    )
    assert not {"httpx2", "huggingface_hub", "pyarrow"} & set(done.stdout.split())


def test_a_folder_that_cannot_be_written_is_reported(
    checkout: Path, study: Path, env_file: EnvFile, tmp_path: Path
):
    (tmp_path / "file").write_text("not a folder")
    done = run(checkout, study, env_file(weights=str(tmp_path / "file" / "weights")), "http://127.0.0.1:1")
    assert done.returncode == 2
    assert f'.env: WEIGHTS: "{tmp_path}/file/weights" cannot be written' in done.stderr
    assert "Traceback" not in done.stderr


def test_a_full_disk_keeps_complete_files(
    checkout: Path, study: Path, env_file: EnvFile, tmp_path: Path, small_disk: list[str]
):
    """Two of three files fit on 64 kB. No part of the third remains, and the message names the disk error."""
    folder = tmp_path / "weights"
    folder.mkdir()
    env = env_file(weights=str(folder), runs=str(tmp_path / "runs"))
    with file_server.run_server() as server:
        for tag, count in zip(TAGS, (4000, 5000, 200_000), strict=True):
            server.publish_on_hub(f"timm/{tag}", safetensors(count))
            server.files[f"/cdn/timm/{tag}/model.safetensors"].faults = [Fault()]
        environ = {**os.environ, "HF_ENDPOINT": server.url, "NO_PROXY": "127.0.0.1,localhost", "COLUMNS": "200"}
        script = f'"$0" -m submit.weights "$1" --env "$2"; echo code $?; ls -A "{folder}"'
        command = [*small_disk, str(folder), "sh", "-c", script, sys.executable, str(study), str(env)]
        done = subprocess.run(
            command, cwd=checkout, env=environ, capture_output=True, text=True, timeout=120, check=False
        )
    assert "code 1" in done.stdout
    assert "No space left on device" in done.stderr
    left = done.stdout.split("code 1\n")[1].split()
    assert len([name for name in left if name.startswith("weights-")]) == 2
    assert "manifest.json" in left
    assert ".parts" not in left
