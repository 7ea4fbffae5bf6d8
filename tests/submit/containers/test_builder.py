"""The command `python -m submit.containers`: with each tool, and on an access point."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from submit.containers.builder import TOOLS


def run(checkout: Path, folder: Path, *programs: str, arguments: tuple[str, ...] = ()) -> tuple[int, str]:
    """Run the command with fake programs on PATH, which print their arguments."""
    path = folder / "bin"
    path.mkdir()
    for program in programs:
        (path / program).write_text(f'#!/bin/sh\necho "ran {program} $*"\n')
        (path / program).chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-m", "submit.containers", "--folder", str(folder / "build"), *arguments],
        cwd=checkout,
        env={**os.environ, "PATH": str(path)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("tool", TOOLS)
def test_each_tool_builds(tool: str, checkout: Path, tmp_path: Path) -> None:
    code, output = run(checkout, tmp_path, tool)
    assert code == 0, output
    actions = {"apptainer": "build alignsec-", "buildah": "bud --platform linux/amd64 "}
    assert f"ran {tool} {actions.get(tool, 'build --platform linux/amd64 ')}" in output
    [folder] = (tmp_path / "build").iterdir()
    assert (folder / "requirements/image.txt").exists()


def test_an_access_point_never_builds(checkout: Path, tmp_path: Path) -> None:
    code, output = run(checkout, tmp_path, "condor_submit", *TOOLS)
    assert code == 0
    assert "ran " not in output
    assert "condor_submit -i build.sub" in output
    [folder] = (tmp_path / "build").iterdir()
    job = (folder / "build.sub").read_text()
    for line in ("+IsBuildJob = True", "request_memory = 16GB", "request_disk = 30GB"):
        assert line in job.splitlines()
    [inputs] = [line for line in job.splitlines() if line.startswith("transfer_input_files")]
    assert all((folder / name.strip()).exists() for name in inputs.partition("=")[2].split(","))
    assert f"apptainer build {folder.name}.sif alignsec.def" in (folder / "build.sh").read_text()


def test_a_machine_without_a_tool_is_an_error_with_a_remedy(checkout: Path, tmp_path: Path) -> None:
    code, output = run(checkout, tmp_path)
    assert code == 2
    assert "buildah not" not in output
    assert "none of apptainer, docker, podman, buildah found" in output


def test_the_image_for_cpus_gets_its_own_requirements(checkout: Path, tmp_path: Path) -> None:
    assert run(checkout, tmp_path, arguments=("--variant", "cpu", "--job"))[0] == 0
    [folder] = (tmp_path / "build").iterdir()
    assert "nvidia" not in (folder / "requirements/cpu.txt").read_text()
    assert "requirements/cpu.txt /opt/requirements.txt" in (folder / "alignsec.def").read_text()
