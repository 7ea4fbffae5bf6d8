"""The device of a job: a job that was assigned a GPU uses it or fails, and never computes on the CPU."""

from pathlib import Path
from typing import Any

import pytest
import torch

from alignsec.run import exit_code
from jobs import provenance
from jobs.device import UnusableGpuError, choose_device
from tests.jobs.job_folders import Job, StagedFiles

ASSIGNED = {"_CONDOR_AssignedGPUs": "GPU-1234abcd", "CUDA_VISIBLE_DEVICES": "GPU-1234abcd"}


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_job_that_cannot_use_its_gpu_is_retried_elsewhere(job: Job, staged: StagedFiles) -> None:
    """The job's own command, with the variables that HTCondor sets. The reason is torch's own."""
    folder = job(staged.pair())
    done = folder.run_in_new_process(**ASSIGNED)
    assert done.returncode == exit_code.TEMPORARY_FAILURE, done.stderr
    assert not folder.failure.hopeless
    assert folder.failure.reason.startswith("UnusableGpuError: HTCondor assigned a GPU (GPU-1234abcd)")
    assert "cannot use it: " in folder.failure.reason
    assert "forward" not in done.stdout


@pytest.mark.parametrize("value", ["", "10000", "none"])
def test_a_slot_without_a_gpu_assigns_none(value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert provenance.find_assigned_gpus({"_CONDOR_AssignedGPUs": value}) == ""
    assert choose_device("").type == ("cuda" if torch.cuda.is_available() else "cpu")


def test_the_request_in_the_job_s_ad_counts_without_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".job.ad").write_text("RequestCpus = 1\nRequestGPUs = 1\n")
    assert provenance.find_assigned_gpus({}) == "RequestGPUs = 1"
    (tmp_path / ".job.ad").write_text("RequestGPUs = 0\n")
    assert provenance.find_assigned_gpus({}) == ""


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("CUDA error: no kernel image is available for execution on the device"),
        AssertionError("Torch not compiled with CUDA enabled"),
    ],
)
def test_the_reason_is_torch_s(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(torch.cuda, "init", lambda: None)
    monkeypatch.setattr(torch, "ones", fail)
    with pytest.raises(UnusableGpuError, match=str(error)):
        choose_device("CUDA0")


def test_a_gpu_that_computes_wrongly_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    ones = torch.ones
    monkeypatch.setattr(torch.cuda, "init", lambda: None)
    monkeypatch.setattr(torch, "ones", lambda *shape, device: ones(*shape) * 2)
    with pytest.raises(UnusableGpuError, match="computed 2048 instead of 512"):
        choose_device("CUDA0")
