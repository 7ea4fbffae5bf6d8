"""Commands in the environment of an access point, which has requirements/access-point.txt and nothing else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from alignsec.errors import ConfigErrors
from submit import job_python
from tests.submit.plans import site

BLOCK = """\
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in "torch pandas numpy matplotlib scipy timm httpx2 pyarrow".split():
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocked())
"""


def run_without_libraries(folder: Path, checkout: Path, *words: str) -> tuple[int, str]:
    """Run a command in a Python in which the heavy libraries cannot be imported."""
    (folder / "sitecustomize.py").write_text(BLOCK)
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("submit", "none.toml"),
        ("submit.status", "none"),
        ("submit.failures", "none"),
        ("submit.images", "none.toml"),
        ("submit.preflight", "none.toml"),
        ("submit", "none.toml", "--canary"),
        ("submit.containers", "--variant", "none"),
    ],
    ids=lambda words: words[0],
)
def test_the_commands_of_an_access_point_need_no_heavy_library(
    words: tuple[str, ...], tmp_path: Path, checkout: Path
) -> None:
    """Each reads its argument and reports that it does not exist."""
    code, output = run_without_libraries(tmp_path, checkout, *words)
    assert code == 2, output
    assert "Traceback" not in output
    assert "none" in output
    assert "No module named" not in output


@pytest.mark.parametrize(
    "words",
    [
        ("aggregate", "none"),
        ("aggregate.compare", "none", "none"),
        ("aggregate.published", "none", "--scores", "none"),
        ("aggregate.registry", "none", "--scores", "none", "--out", "none.csv"),
        ("studies.demo", "{folder}/demo"),
        ("submit.weights", "none.toml"),
    ],
    ids=lambda words: words[0],
)
def test_other_commands_name_the_requirements_that_they_need(
    words: tuple[str, ...], tmp_path: Path, checkout: Path
) -> None:
    code, output = run_without_libraries(tmp_path, checkout, *(word.format(folder=tmp_path) for word in words))
    assert code == 1, output
    assert "Traceback" not in output
    assert "the command needs requirements/" in output


def test_jobs_cannot_use_the_access_point_s_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_python, "find_spec", lambda name: None)
    job_python.check_job_python(site(CONTAINER_IMAGE="docker://name/alignsec:v1"), dry=False)
    job_python.check_job_python(site(PYTHON="/opt/python/bin/python3"), dry=False)
    with pytest.raises(ConfigErrors, match="CONTAINER_IMAGE: is empty, so jobs use this Python"):
        job_python.check_job_python(site(PYTHON=""), dry=False)


def make(checkout: Path, folder: Path, *words: str) -> str:
    """Return the commands that make would run on a machine with condor_submit."""
    program = folder / "condor_submit"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    done = subprocess.run(
        ["make", "-n", f"VENV={folder}/venv", *words],
        cwd=checkout,
        env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize("target", ["submit", "status", "failures", "containers", "access-point"])
def test_make_installs_little_on_an_access_point(target: str, tmp_path: Path, checkout: Path) -> None:
    commands = make(checkout, tmp_path, target)
    assert "requirements/access-point.txt" in commands
    assert "requirements/all.txt" not in commands


@pytest.mark.parametrize("target", ["aggregate", "demo", "test"])
def test_make_refuses_to_install_everything_on_an_access_point(
    target: str, tmp_path: Path, checkout: Path
) -> None:
    assert "on an access point, use submit, status" in make(checkout, tmp_path, target)
    assert "requirements/all.txt" in make(checkout, tmp_path, target, "FULL=1")


def test_an_older_python_gets_a_new_one_from_uv(tmp_path: Path, checkout: Path) -> None:
    assert "uv venv --quiet --python 3.11" in make(checkout, tmp_path, "access-point")
