"""The site: .env read once, every wrong key told at once."""

import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from alignsec.errors import ConfigError, ConfigErrors
from submit.site import Site

EnvFile = Callable[..., Path]


def errors(path: Path, **overrides: str) -> dict[str, ConfigError]:
    with pytest.raises(ConfigErrors) as caught:
        Site.read(path, overrides)
    return {error.field: error for error in caught.value.errors}


def test_the_env_that_comes_with_alignsec_runs_on_one_machine(checkout: Path):
    site = Site.read(checkout / ".env")
    assert (site.runs, site.container_image, site.request_gpus, site.local_jobs) == (Path("runs"), "", 0, None)
    assert site.job_python == sys.executable
    assert site.want_gpu_lab is None


def test_every_key_is_documented(checkout: Path):
    """A comment before each key, or before its group."""
    lines = (checkout / ".env").read_text(encoding="utf-8").splitlines()
    keys = {line.split("=")[0] for line in lines if line and not line.startswith("#")}
    assert {key.lower() for key in keys} == set(Site.model_fields)
    undocumented = [line for before, line in pairwise(lines) if "=" in line and not before]
    assert not [line for line in undocumented if not line.startswith("#")]


def test_chtcs_values_are_taken(env_file: EnvFile):
    """Those of DESIGN.md 7."""
    site = Site.read(
        env_file(
            python="/opt/python3",
            container_image="osdf:///chtc/staging/me/alignsec-v1.sif",
            want_gpu_lab="true",
            gpu_job_length="short",
            is_resumable="true",
            want_ospool="false",
            gpus_minimum_capability="7.5",
            requirements="(HasCHTCStaging == true)",
            local_jobs="2",
            job_duration_category="Medium",
        )
    )
    assert site.container_image == "osdf:///chtc/staging/me/alignsec-v1.sif"
    assert (site.want_gpu_lab, site.is_resumable, site.want_ospool) == (True, True, False)
    assert (site.gpus_minimum_capability, site.local_jobs, site.job_python) == (7.5, 2, "/opt/python3")
    assert site.requirements == "(HasCHTCStaging == true)"


def test_every_mistake_in_one_go(env_file: EnvFile):
    path = env_file(retries="two", request_gpus="-1", gpu_job_length="tiny", want_gpu_lab="perhaps", max_jobs="")
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("REQUEST_CPUS=1\n", "REQUEST_CPU=1\n"), encoding="utf-8")
    found = errors(path)
    assert set(found) == {
        *("RETRIES", "REQUEST_GPUS", "GPU_JOB_LENGTH", "WANT_GPU_LAB", "MAX_JOBS", "REQUEST_CPUS", "REQUEST_CPU"),
    }
    assert {str(error.path) for error in found.values()} == {str(path)}
    assert "is missing; add the line REQUEST_CPUS=" in found["REQUEST_CPUS"].remedy
    assert "did you mean REQUEST_CPUS" in found["REQUEST_CPU"].remedy
    assert found["RETRIES"].given == '"two"'
    assert "'short'" in found["GPU_JOB_LENGTH"].remedy


def test_every_missing_key_is_told(tmp_path: Path):
    (tmp_path / ".env").write_text("")
    assert {field.lower() for field in errors(tmp_path / ".env")} == set(Site.model_fields)


@pytest.mark.parametrize("key", ["runs", "request_memory_mb", "checkpoint_seconds", "held_seconds"])
def test_what_must_be_said_is_not_empty(env_file: EnvFile, key: str):
    """An empty RUNS would put run folders among the rooms of the house."""
    assert set(errors(env_file(**{key: ""}))) == {key.upper()}


@pytest.mark.parametrize("value", ['a"b', "a\tb", "a\x7fb"])
def test_a_word_is_one_line_without_quotes(checkout: Path, value: str):
    """It stands inside a submit description."""
    assert set(errors(checkout / ".env", PROJECT_NAME=value)) == {"PROJECT_NAME"}


def test_a_dollar_stays_a_dollar(env_file: EnvFile):
    """Nothing is expanded: $(...) belongs to HTCondor."""
    assert Site.read(env_file(requirements="$(X) == ${Y}")).requirements == "$(X) == ${Y}"


def test_overrides_go_first(env_file: EnvFile):
    assert Site.read(env_file(retries="1"), {"RETRIES": "0"}).retries == 0


def test_no_env_at_all(tmp_path: Path):
    with pytest.raises(ConfigErrors, match="is not there; take the one that came with alignsec"):
        Site.read(tmp_path / ".env")


def test_an_env_that_is_no_text(tmp_path: Path):
    (tmp_path / ".env").write_bytes(b"RUNS=\xff\xfe\n")
    with pytest.raises(ConfigErrors, match=r"\.env"):
        Site.read(tmp_path / ".env")
