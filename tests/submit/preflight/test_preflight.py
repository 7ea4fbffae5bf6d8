"""Preflight: every planted error is named with its remedy, and nothing is written or submitted."""

import io
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from rich.console import Console

from submit import validation
from submit.preflight import machines, quotas
from submit.preflight.__main__ import check
from submit.preflight.machines import LargestRequests
from submit.requests.measurements import Measurements
from submit.validation import ValidatedStudy
from tests.submit.plans import site

StudyFile = Callable[..., Path]
EnvFile = Callable[..., Path]
A100 = {"Capability": 8.0, "GlobalMemoryMb": 40_000, "MaxSupportedVersion": 13_000}
P100 = {"Capability": 6.0, "GlobalMemoryMb": 16_000, "MaxSupportedVersion": 12_020}
MACHINE = {
    "Arch": "X86_64",
    "TotalSlotCpus": 16,
    "TotalSlotMemory": 64_000,
    "TotalSlotDisk": 400_000_000,
    "HasContainer": True,
    "HasCHTCStaging": True,
}
CHTC = {"SITE": "chtc", "CONTAINER_IMAGE": "docker://example/alignsec:v1"}


def collector(*ads: Mapping[str, Any], code: int = 0, denied: str = "") -> Callable[..., "CompletedProcess[str]"]:
    """Return a fake of a pool's commands that answers one query of the collector, and one ping of the schedd."""

    def run(argv: list[str], check: bool = False) -> "CompletedProcess[str]":
        if argv[0] == "condor_ping":
            return CompletedProcess(argv, 1 if denied else 0, "", denied)
        assert argv[0] == "condor_status", "preflight only queries the collector"
        return CompletedProcess(argv, code, json.dumps(ads) if ads else "", "no collector" if code else "")

    return run


def with_gpus(*gpus: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """Return the ad of a machine with GPUs."""
    return {**MACHINE, **{f"GPUs_GPU_{at}": dict(gpu) for at, gpu in enumerate(gpus)}, **more}


def preflight(study: Path, env: Path, run: Any, environ: Mapping[str, str] | None = None) -> list[str]:
    output = io.StringIO()
    code = check(Console(file=output, width=1000), study, env, {}, environ or {}, run)
    lines = output.getvalue().splitlines()
    assert (code == 0) == (lines[-1] == "ready")
    return lines


def test_a_study_without_problems_is_ready(study_file: StudyFile, env_file: EnvFile) -> None:
    lines = preflight(study_file("a"), env_file(**CHTC), collector(with_gpus(A100), with_gpus(P100)))
    assert lines[-1] == "ready"
    assert "1 of 2 machines can run the jobs" in lines


def test_fifteen_planted_errors_are_all_named(study_file: StudyFile, env_file: EnvFile, tmp_path: Path) -> None:
    scores = tmp_path / "study" / "scores.csv"
    study = study_file("resnet", "b", more="", name="tiny")
    scores.write_text("model,V1\nb,0.5\nresnett,0.4\n")
    study.write_text(study.read_text().replace("[images]", '[scores]\nfile = "scores.csv"\n[images]', 1))
    env = env_file(
        site="chtc",
        container_image=str(tmp_path / "none.sif"),
        request_gpus="1",
        want_gpu_lab="false",
        checkpoint_seconds="50",
        allowed_execute_seconds="50000",
        weights="weights",
        weights_url="osdf:///chtc/staging/b/bucky/weights",
        images_url="osdf:///chtc/staging/bucky/images",
        requirements="HasCHTCStagin == true",
        max_jobs=str(10**18),
        retries="two",
        container_image_mb="90000",
        gpus_minimum_memory_mb="900000",
        gpus_minimum_runtime="13.0",
    )
    lines = preflight(study, env, collector(with_gpus(P100, HasContainer=False, TotalSlotDisk=10_000)))
    planted = [
        "WANT_GPU_LAB: .*must be true",
        "IS_RESUMABLE: .*set WANT_GPU_LAB=true",
        "ALLOWED_EXECUTE_SECONDS: .*must be less than the 12 hours",
        "CHECKPOINT_SECONDS: .*time that a job takes to start",
        "CONTAINER_IMAGE: .*not found",
        "CONTAINER_IMAGE: .*needs containers",
        "WEIGHTS: .*is not the folder from which jobs receive the files",
        "IMAGES_URL: .*osdf:///chtc/staging/b/bucky/images",
        "REQUIREMENTS: .*did you mean HasCHTCStaging",
        "MAX_JOBS: .*less than or equal to 1000000",
        "RETRIES: .*must be an integer",
        "REQUEST_DISK_MB: .*KiB of disk",
        "GPUS_MINIMUM_CAPABILITY: .*a GPU of capability 7.5",
        "GPUS_MINIMUM_RUNTIME: .*supports CUDA 13.0",
        "GPUS_MINIMUM_MEMORY_MB: .*900000 MB of memory",
        r"models\[0\].name: .*has no row in scores.csv; did you mean resnett",
    ]
    text = "\n".join(lines)
    for pattern in planted:
        assert re.search(pattern, text), f"not named: {pattern}\n{text}"
    assert int(lines[-1].split()[0]) >= len(planted)


def test_nothing_is_written(study_file: StudyFile, env_file: EnvFile, tmp_path: Path) -> None:
    study, env = study_file("a"), env_file(runs=str(tmp_path / "runs"), **CHTC)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    preflight(study, env, collector(with_gpus(A100)))
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_a_pool_that_is_missing_or_silent_is_a_problem(study_file: StudyFile, env_file: EnvFile) -> None:
    study, env = study_file("a"), env_file(**CHTC)
    assert "HTCondor not found" in preflight(study, env, None)[-2]
    assert "the collector does not answer: no collector" in preflight(study, env, collector(code=1))[-2]
    assert "the pool has no machines" in preflight(study, env, collector())[-2]


def test_errors_of_the_study_are_reported_with_those_of_the_site(study_file: StudyFile, env_file: EnvFile) -> None:
    study = study_file("a")
    (study.parent / "a.safetensors").unlink()
    lines = preflight(study, env_file(**{**CHTC, "retries": "two"}), collector(with_gpus(A100)))
    assert lines[-1] == "2 problems"
    assert "RETRIES" in lines[-3] or "RETRIES" in lines[-2]
    assert any("models[0].weights" in line for line in lines)


def test_no_machine_meets_all_requirements_at_once() -> None:
    """One machine has the memory, the other has the GPU."""
    ads = [with_gpus(A100, TotalSlotMemory=100), MACHINE]
    (error,) = machines.find_errors(ads, site(**CHTC), LargestRequests(2000, 20_000, 4000), Path(".env"))
    assert "no machine meets all requirements at once" in error.remedy
    assert "2000 MB of memory: 1" in error.remedy


def test_gpus_of_all_versions_are_read() -> None:
    """HTCondor 10 and later nest an ad for each GPU; older versions have attributes of the machine."""
    assert machines.read_gpus(with_gpus(A100, P100)) == [A100, P100]
    old = {"TotalSlotGPUs": 2, "CUDACapability": 7.5, "CUDAGlobalMemoryMb": 11_000}
    assert machines.read_gpus(old) == [{"Capability": 7.5, "GlobalMemoryMb": 11_000}] * 2
    assert machines.read_gpus(MACHINE) == []


@pytest.fixture
def studied(study_file: StudyFile, tmp_path: Path) -> ValidatedStudy:
    return validation.validate(study_file("a"), tmp_path / "hub")


def test_quotas_and_queues_are_limits(studied: ValidatedStudy, tmp_path: Path) -> None:
    chtc, env = site(**CHTC, WEIGHTS="/staging/b/bucky/w"), Path(".env")
    needs = quotas.estimate_needs(studied, chtc, Measurements([]))
    assert quotas.time_errors(needs, chtc, env) == []
    slow = replace(needs, estimates=(replace(needs.estimates[0], seconds=100_000), *needs.estimates[1:]))
    (error,) = quotas.time_errors(slow, chtc, env)
    assert (error.field, "up to 28 h" in error.remedy) == ("GPU_JOB_LENGTH", True)
    large = replace(needs, image_bytes=41 * quotas.GB, weights_bytes=101 * quotas.GB)
    remedies = {error.field: error.remedy for error in quotas.quota_errors(studied, large, chtc, env, tmp_path)}
    assert "41.0 GB in the home folder, whose quota is 40 GB" in remedies["IMAGES"]
    found = [error.remedy for error in quotas.quota_errors(studied, large, chtc, env, tmp_path)]
    assert any("101.0 GB in the staging folder, whose quota is 100 GB" in remedy for remedy in found)


def test_many_image_files_in_staging_exceed_the_item_quota(studied: ValidatedStudy, tmp_path: Path) -> None:
    images = studied.study.images.model_copy(update={"folder": Path("/staging/b/bucky/imagenet")})
    many = replace(
        studied,
        study=studied.study.model_copy(update={"images": images}),
        selection=replace(studied.selection, found=50_000),
    )
    needs = quotas.estimate_needs(many, site(**CHTC), Measurements([]))
    errors = quotas.quota_errors(many, needs, site(**CHTC), Path(".env"), tmp_path)
    (items,) = [error for error in errors if error.field == "images.folder"]
    assert "has 50000 files, but the staging folder may hold 1000 items" in items.remedy
