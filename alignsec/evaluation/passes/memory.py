"""Memory: how many images the model can take at once, from what one takes and what the device has left."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from alignsec.spec.engine_limits import CPU_BACKWARD, CPU_SAVED_BYTES, SEARCH_IMAGES

_SHARE = {"cuda": 0.8, "cpu": 0.5}
"""Of what is left. A GPU is ours alone; on a CPU others come and go."""
_BACKWARD = {"cuda": 1.2, "cpu": CPU_BACKWARD}
"""What a gradient pass takes at its peak over what was measured: of torch's allocator on a GPU without the way
back, on a CPU what is kept for it. Measured on CPUs: 1.2 to 1.7 (MobileNetV2, ViT-Tiny, ResNet-18, 224 pixels)."""


@dataclass
class MemoryGauge:
    """What was measured."""

    bytes: int = 0


@contextmanager
def measure_memory(model: nn.Module, device: torch.device) -> Iterator[MemoryGauge]:
    """Measure the memory that a forward pass takes and keeps for a backward one."""
    measured = MemoryGauge()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        yield measured
        measured.bytes = torch.cuda.max_memory_allocated(device) - before
        return
    own = {tensor.untyped_storage().data_ptr() for tensor in (*model.parameters(), *model.buffers())}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor.detach()

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        yield measured
    measured.bytes = sum(kept.values())


def fit_batch_size(most: int, each: int, image: Tensor, limit: int | None) -> int:
    """How many images to begin with, 1 to `most`.

    each: bytes that the gauge measured for one. image: one of them, where it will be. limit: bytes the process may
    take in all, where it was given any.
    """
    device = image.device
    needed = each * _BACKWARD[device.type] + SEARCH_IMAGES * image.nbytes
    fitting = int(_SHARE[device.type] * available_bytes(device, limit) / needed)
    if device.type == "cpu":
        fitting = min(fitting, int(CPU_SAVED_BYTES / max(each, 1)))
    return max(1, min(most, fitting))


def available_bytes(device: torch.device, limit: int | None) -> int:
    """Bytes that the device has left for us."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    found = [_kilobytes(Path("/proc/meminfo"), "MemAvailable"), *_of_cgroups()]
    if limit is not None and (resident := _kilobytes(Path("/proc/self/status"), "VmRSS")) is not None:
        found.append(limit - resident)
    return max(0, min((bytes_ for bytes_ in found if bytes_ is not None), default=2**30))


def _kilobytes(path: Path, name: str) -> int | None:
    """A line such as `VmRSS:  1234 kB` in bytes; None where there is none."""
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:")), None)


def _of_cgroups(root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> Iterator[int]:
    """What the limit of each control group above us leaves (cgroups version 2): how HTCondor bounds a job."""
    try:
        path = own.read_text(encoding="utf-8").strip().rpartition("::")[2]
    except (OSError, ValueError):
        return
    folder = root / path.lstrip("/")
    for group in (folder, *folder.parents):
        if not group.is_relative_to(root):
            return
        try:
            texts = [(group / f"memory.{name}").read_text(encoding="ascii") for name in ("max", "current", "stat")]
        except (OSError, ValueError):
            continue
        limit, used, statistics = texts
        if limit.strip() != "max":
            # Files that the kernel keeps in memory make way.
            cached = next(
                (int(line.split()[1]) for line in statistics.splitlines() if line.startswith("file ")), 0
            )
            yield int(limit) - int(used) + cached
