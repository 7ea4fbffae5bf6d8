"""Use of a job's GPU: driver and utilisation from nvidia-smi, without a GPU through a fake program."""

from pathlib import Path
from typing import Any

import pytest
import torch

from jobs import device, gpu_usage, provenance
from jobs.gpu_usage import GpuUsage


def fake_program(folder: Path, script: str) -> str:
    """Write a program that stands for nvidia-smi."""
    path = folder / "nvidia-smi"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_samples_are_averaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_usage, "EVERY_SECONDS", 0.0)
    counter = f'echo x >> {tmp_path}/calls; echo "580.82.07, $(( $(wc -l < {tmp_path}/calls) * 30 ))"'
    usage = GpuUsage("GPU-1", fake_program(tmp_path, f'[ "$1" = --id=GPU-1 ] && {counter}'))
    usage.sample_if_due()
    usage.sample_if_due()
    assert usage.samples == [30, 60]
    assert usage.utilisation_percent == 45.0
    assert usage.driver == "580.82.07"


def test_samples_are_taken_at_intervals(tmp_path: Path) -> None:
    usage = GpuUsage("GPU-1", fake_program(tmp_path, 'echo "580.82.07, 7"'))
    usage.sample_if_due()
    usage.sample_if_due()
    assert usage.samples == [7]


@pytest.mark.parametrize("script", ['echo "580.82.07, [N/A]"', "echo no such device; exit 6", "echo"])
def test_a_mig_slice_has_no_utilisation(script: str, tmp_path: Path) -> None:
    usage = GpuUsage("GPU-1", fake_program(tmp_path, script))
    usage.sample_if_due()
    assert usage.utilisation_percent is None


def test_nothing_is_measured_on_a_cpu_or_without_the_program(tmp_path: Path) -> None:
    for usage in (GpuUsage("", fake_program(tmp_path, "exit 1")), GpuUsage("GPU-1", "/no/such/program")):
        usage.sample_if_due()
        assert usage.utilisation_percent is None


def test_the_driver_is_that_of_the_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container may have no nvidia-smi."""
    version = tmp_path / "version"
    version.write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.82.07  Wed\nGCC version: 12\n")
    monkeypatch.setattr(gpu_usage, "DRIVER_FILE", version)
    assert GpuUsage("GPU-1").driver == "580.82.07"


@pytest.mark.parametrize(("slot_mb", "fraction"), [(40_000, 0.5), (80_000, None), (75_000, None), (None, None)])
def test_a_job_on_a_shared_gpu_uses_its_share(
    slot_mb: int | None, fraction: float | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The slot's ad has the share; a whole GPU has no limit."""
    set_to: list[Any] = []
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".machine.ad").write_text(f"GPUs_GlobalMemoryMb = {slot_mb}\n" if slot_mb else "Memory = 1\n")
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (1, 80_000 * 2**20))
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", lambda value, _: set_to.append(value))
    device.limit_gpu_memory(torch.device("cuda"), provenance.read_gpu_memory_bytes())
    assert set_to == ([] if fraction is None else [fraction])
