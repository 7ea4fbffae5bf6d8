"""Memory: smaller batches when memory runs out, and the same verdicts."""

from functools import cache

import pytest
import torch
from torch import nn

from alignsec.evaluation.passes import memory
from alignsec.evaluation.task import Task
from alignsec.models.errors import is_out_of_memory
from tests.alignsec.engine import small

CPU = RuntimeError("[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: you")
GPU = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


ATTACK = small.attack(eps=("0.05", "0.12"))


class LimitedNetwork(nn.Module):
    """A network that raises an error for batches larger than `room`, in one kind of pass, after some passes."""

    def __init__(self, network, error, room, kind, after):
        super().__init__()
        self.network, self.error, self.room, self.kind, self.after = network, error, room, kind, after
        self.passes, self.raised, self.largest = 0, 0, 0

    def forward(self, images):
        """Return logits, or raise the error if the batch is too large."""
        self.passes += 1
        kinds = {"gradient"} if torch.is_grad_enabled() else {"forward"}
        kinds |= {"exact"} if not torch.is_autocast_enabled("cpu") else set()
        tight = self.kind in {*kinds, "backward"} and self.passes > self.after and len(images) > self.room
        if tight and self.kind != "backward":
            self.raised += 1
            raise self.error
        logits = self.network(images)
        if tight and logits.requires_grad:
            logits.register_hook(self._raise)
        else:
            self.largest = len(images)
        return logits

    def _raise(self, gradient):
        self.raised += 1
        raise self.error


def limited_task(attack, **how):
    task = small.task(False, attack, 12)
    model = LimitedNetwork(small.network(False), **how)
    return Task(small.classifier(model), task.pixels, task.labels, attack, 0), model


@cache
def run_without_errors():
    return small.finished(small.task(False, ATTACK, 12), slots=16)


@pytest.mark.parametrize(
    ("kind", "after", "room", "error"),
    [
        ("forward", 0, 5, CPU),
        ("gradient", 0, 3, CPU),
        ("gradient", 20, 1, GPU),
        ("backward", 0, 4, GPU),
        ("forward", 60, 2, MemoryError()),
    ],
)
def test_out_of_memory_changes_no_verdict(kind, after, room, error):
    """Memory runs out in the clean pass or during the search."""
    task, model = limited_task(ATTACK, error=error, room=room, kind=kind, after=after)
    disturbed, whole = small.finished(task, slots=16), run_without_errors()
    assert 1 <= model.raised <= 4, "batches that did not fit were tried again"
    assert model.largest <= room
    assert small.verdicts(disturbed) == small.verdicts(whole)
    assert steps(disturbed) == steps(whole)


def steps(evaluation):
    return sorted((one.image, one.budget, one.step) for one in evaluation.adversarial_images)


def test_out_of_memory_in_float32_check_changes_no_verdict():
    attack = small.attack(eps=("0.3",), search="bf16")
    task, model = limited_task(attack, error=CPU, room=2, kind="exact", after=3)
    assert small.verdicts(small.finished(task)) == small.verdicts(small.finished(small.task(False, attack, 12)))
    assert model.raised


def test_one_image_does_not_fit():
    task, _ = limited_task(small.attack(), error=CPU, room=0, kind="gradient", after=5)
    with pytest.raises(RuntimeError, match="DefaultCPUAllocator") as caught:
        small.finished(task)
    assert is_out_of_memory(caught.value)


def test_replay_keeps_batches_together():
    attack = small.attack(eps=("0.05",), batch=12)
    task, model = limited_task(attack, error=GPU, room=5, kind="gradient", after=0)
    whole = small.finished(small.task(False, attack, 12), replay=True, slots=12)
    assert small.verdicts(small.finished(task, replay=True, slots=12)) == small.verdicts(whole)
    assert model.raised


@pytest.mark.parametrize("error", [RuntimeError("at most two"), ValueError("no"), KeyError("memory")])
def test_other_errors_are_not_out_of_memory(error):
    task, model = limited_task(small.attack(), error=error, room=2, kind="gradient", after=0)
    with pytest.raises(type(error)):
        small.finished(task)
    assert model.raised == 1
    assert not is_out_of_memory(error)


def test_torch_error_is_recognised():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**50)
    assert is_out_of_memory(caught.value)


def test_measures_saved_tensors_without_weights():
    """Tensors with the same storage count once: ReLU's output is the next layer's input."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 1000), nn.ReLU(), nn.Linear(1000, 10)).requires_grad_(
        False
    )
    images = torch.rand(8, 1, 8, 8, requires_grad=True)
    with memory.measure_memory(network, images.device) as gauge:
        network(images)
    assert gauge.bytes == 8 * 1000 * 4


def test_batch_size_is_limited_by_request_and_memory(monkeypatch: pytest.MonkeyPatch):
    image = torch.zeros(3, 224, 224)
    monkeypatch.setattr(memory, "available_bytes", lambda device, limit: limit)

    def batch_size(max_batch, image_bytes, limit):
        return memory.fit_batch_size(max_batch, image_bytes, image, limit)

    need = 2 * 10**6 + 16 * image.nbytes
    assert batch_size(100, 10**6, 2 * 7 * need) == 7
    assert batch_size(5, 10**6, 2 * 7 * need) == 5
    assert batch_size(100, 10**6, 10) == 1, "the smallest batch is one image"
    assert batch_size(10_000, 70 * 2**20, 10**15) == 7, "larger batches are not faster on a CPU"


def test_available_bytes_of_machine_and_limit():
    cpu = torch.device("cpu")
    free = memory.available_bytes(cpu, None)
    assert free > 0
    assert memory.available_bytes(cpu, 1) == 0, "the process uses more than a byte already"
    assert 0 < memory.available_bytes(cpu, 2**40) <= 2**40


def test_control_groups_limit_memory(tmp_path):
    """HTCondor sets limits in control groups of version 2, in the job's group and its parents."""
    group = tmp_path / "fs" / "condor" / "slot1"
    group.mkdir(parents=True)
    (tmp_path / "own").write_text("1:name=systemd:/\n0::/condor/slot1\n")
    for folder, limit in ((group, "3000"), (group.parent, "max")):
        (folder / "memory.max").write_text(f"{limit}\n")
        (folder / "memory.current").write_text("1000\n")
        (folder / "memory.stat").write_text("anon 600\nfile 400\n")
    assert list(memory._cgroup_bounds(tmp_path / "fs", tmp_path / "own")) == [2400]
    assert list(memory._cgroup_bounds(tmp_path / "fs", tmp_path / "absent")) == []


def test_little_memory_changes_no_verdict(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(memory, "available_bytes", lambda device, limit: 10**5)
    evaluation = small.finished(small.task(False, ATTACK, 12), slots=16)
    assert 1 <= evaluation.max_batch < 16
    assert small.verdicts(evaluation) == small.verdicts(run_without_errors())


@pytest.mark.parametrize(
    ("free", "fraction", "expected"), [(50, 1.0, 70), (50, 0.5, 40), (1, 0.5, 21), (90, 0.05, 0)]
)
def test_the_memory_of_a_gpu_is_what_is_free_and_within_the_job_s_share(
    free: int, fraction: float, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 100 bytes, torch holds 30, of which 10 are in use."""
    values = {
        "mem_get_info": (free, 100),
        "memory_reserved": 30,
        "memory_allocated": 10,
        "get_per_process_memory_fraction": fraction,
    }
    for name, value in values.items():
        monkeypatch.setattr(torch.cuda, name, lambda _, value=value: value)
    assert memory.available_bytes(torch.device("cuda"), None) == expected
