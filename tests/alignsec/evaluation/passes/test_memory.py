"""Memory that runs out: fewer images at once, and the same verdicts."""

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


class Cramped(nn.Module):
    """Raises when it is given more images at once than there is room for, in one kind of pass, after a while."""

    def __init__(self, network, error, room, kind, after):
        super().__init__()
        self.network, self.error, self.room, self.kind, self.after = network, error, room, kind, after
        self.passes, self.raised, self.largest = 0, 0, 0

    def forward(self, images):
        """Logits, where there is room."""
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


def cramped(attack, **how):
    what = small.task(False, attack, 12)
    model = Cramped(small.network(False), **how)
    return Task(small.classifier(model), what.pixels, what.labels, attack, 0), model


@cache
def undisturbed():
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
def test_memory_that_runs_out_changes_no_verdict(kind, after, room, error):
    """From the first pass, the clean one, or amid the search."""
    what, model = cramped(ATTACK, error=error, room=room, kind=kind, after=after)
    disturbed, whole = small.finished(what, slots=16), undisturbed()
    assert 1 <= model.raised <= 4, "it comes back again and again to what had no room"
    assert model.largest <= room
    assert small.verdicts(disturbed) == small.verdicts(whole)
    assert steps(disturbed) == steps(whole)


def steps(known):
    return sorted((one.image, one.budget, one.step) for one in known.adversarial_images)


def test_memory_that_runs_out_while_float32_judges_changes_no_verdict():
    attack = small.attack(eps=("0.3",), search="bf16")
    what, model = cramped(attack, error=CPU, room=2, kind="exact", after=3)
    assert small.verdicts(small.finished(what)) == small.verdicts(small.finished(small.task(False, attack, 12)))
    assert model.raised


def test_no_room_for_one_image_is_an_error_and_the_machine_s():
    what, _ = cramped(small.attack(), error=CPU, room=0, kind="gradient", after=5)
    with pytest.raises(RuntimeError, match="DefaultCPUAllocator") as caught:
        small.finished(what)
    assert is_out_of_memory(caught.value)


def test_replay_keeps_a_batch_together_where_memory_runs_out():
    attack = small.attack(eps=("0.05",), batch=12)
    what, model = cramped(attack, error=GPU, room=5, kind="gradient", after=0)
    whole = small.finished(small.task(False, attack, 12), replay=True, slots=12)
    assert small.verdicts(small.finished(what, replay=True, slots=12)) == small.verdicts(whole)
    assert model.raised


@pytest.mark.parametrize("error", [RuntimeError("at most two"), ValueError("no"), KeyError("memory")])
def test_any_other_error_at_a_batch_size_is_no_lack_of_memory(error):
    what, model = cramped(small.attack(), error=error, room=2, kind="gradient", after=0)
    with pytest.raises(type(error)):
        small.finished(what)
    assert model.raised == 1
    assert not is_out_of_memory(error)


def test_torch_s_own_error_is_known():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**50)
    assert is_out_of_memory(caught.value)


def test_what_is_kept_for_the_way_back_is_measured_and_weights_are_not():
    """Two activations of the same storage count once: ReLU's output is the next layer's input."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 1000), nn.ReLU(), nn.Linear(1000, 10)).requires_grad_(
        False
    )
    images = torch.rand(8, 1, 8, 8, requires_grad=True)
    with memory.measure_memory(network, images.device) as gauge:
        network(images)
    assert gauge.bytes == 8 * 1000 * 4


def test_as_many_images_at_once_as_fit_and_are_asked_for(monkeypatch: pytest.MonkeyPatch):
    image = torch.zeros(3, 224, 224)
    monkeypatch.setattr(memory, "available_bytes", lambda device, limit: limit)

    def at_once(most, each, limit):
        return memory.fit_batch_size(most, each, image, limit)

    need = 2 * 10**6 + 16 * image.nbytes
    assert at_once(100, 10**6, 2 * 7 * need) == 7
    assert at_once(5, 10**6, 2 * 7 * need) == 5
    assert at_once(100, 10**6, 10) == 1, "there is nothing less to try"
    assert at_once(10_000, 70 * 2**20, 10**15) == 7, "a CPU is no faster with more"


def test_the_machine_and_the_limit_say_what_is_left():
    cpu = torch.device("cpu")
    free = memory.available_bytes(cpu, None)
    assert free > 0
    assert memory.available_bytes(cpu, 1) == 0, "it takes more than a byte already"
    assert 0 < memory.available_bytes(cpu, 2**40) <= 2**40


def test_control_groups_bound_what_is_left(tmp_path):
    """Version 2, as HTCondor sets them: the job's own group and every one above it."""
    group = tmp_path / "fs" / "condor" / "slot1"
    group.mkdir(parents=True)
    (tmp_path / "own").write_text("1:name=systemd:/\n0::/condor/slot1\n")
    for folder, limit in ((group, "3000"), (group.parent, "max")):
        (folder / "memory.max").write_text(f"{limit}\n")
        (folder / "memory.current").write_text("1000\n")
        (folder / "memory.stat").write_text("anon 600\nfile 400\n")
    assert list(memory._cgroup_bounds(tmp_path / "fs", tmp_path / "own")) == [2400]
    assert list(memory._cgroup_bounds(tmp_path / "fs", tmp_path / "absent")) == []


def test_a_short_memory_changes_no_verdict(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(memory, "available_bytes", lambda device, limit: 10**5)
    known = small.finished(small.task(False, ATTACK, 12), slots=16)
    assert 1 <= known.max_batch < 16
    assert small.verdicts(known) == small.verdicts(undisturbed())
