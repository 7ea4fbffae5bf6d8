"""Memory: measures the memory of one image in a pass and computes the largest batch that fits."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from alignsec.spec.engine_limits import CPU_BACKWARD, CPU_SAVED_BYTES, SEARCH_IMAGES

_USABLE_SHARE = {"cuda": 0.8, "cpu": 0.5}
"""Share of the available memory to use. A job has its share of a GPU to itself; the memory of a
CPU is shared with others."""
_BACKWARD_FACTOR = {"cuda": 1.2, "cpu": CPU_BACKWARD}
"""Peak memory of a gradient pass divided by the measured memory. The measurement is the peak of torch's allocator
in a forward pass on a GPU, and the tensors saved for the backward pass on a CPU. Measured on CPUs: 1.2 to 1.7
(MobileNetV2, ViT-Tiny, ResNet-18, 224 pixels)."""


@dataclass
class MemoryGauge:
    """The result of a memory measurement."""

    bytes: int = 0
    """Bytes that the pass needed; set at the end of the `with` block."""


@contextmanager
def measure_memory(model: nn.Module, device: torch.device) -> Iterator[MemoryGauge]:
    """Measure the memory of the forward pass in a `with` block.

    On a GPU this is the peak of torch's allocator. On a CPU these are the tensors saved for the backward pass,
    without the model's own parameters and buffers.
    """
    gauge = MemoryGauge()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        yield gauge
        gauge.bytes = torch.cuda.max_memory_allocated(device) - before
        return
    own = {tensor.untyped_storage().data_ptr() for tensor in (*model.parameters(), *model.buffers())}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor.detach()

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        yield gauge
    gauge.bytes = sum(kept.values())


def fit_batch_size(max_batch: int, image_bytes: int, image: Tensor, memory_bytes: int | None) -> int:
    """Return the number of images to start with in one batch, from 1 to `max_batch`.

    Args:
        max_batch: The largest batch size allowed.
        image_bytes: Bytes that `measure_memory` measured for one image.
        image: One image, on the device that runs the model.
        memory_bytes: Bytes that the process may use in total; None if it has no limit.
    """
    device = image.device
    needed = image_bytes * _BACKWARD_FACTOR[device.type] + SEARCH_IMAGES * image.nbytes
    fitting = int(_USABLE_SHARE[device.type] * available_bytes(device, memory_bytes) / needed)
    if device.type == "cpu":
        fitting = min(fitting, int(CPU_SAVED_BYTES / max(image_bytes, 1)))
    return max(1, min(max_batch, fitting))


def available_bytes(device: torch.device, memory_bytes: int | None) -> int:
    """Return the bytes that this process can still allocate on a device.

    Args:
        device: The device, CPU or CUDA.
        memory_bytes: Bytes that the process may use in total; None if it has no limit. Ignored for a GPU.
    """
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        allocated = torch.cuda.memory_allocated(device)
        # A job that shares its GPU has a limit below the total. Other jobs can take the free memory at any time.
        limit = int(torch.cuda.get_per_process_memory_fraction(device) * total)
        return max(0, min(free + torch.cuda.memory_reserved(device), limit) - allocated)
    bounds = [_read_kilobytes(Path("/proc/meminfo"), "MemAvailable"), *_cgroup_bounds()]
    if memory_bytes is not None and (resident := _read_kilobytes(Path("/proc/self/status"), "VmRSS")) is not None:
        bounds.append(memory_bytes - resident)
    return max(0, min((bound for bound in bounds if bound is not None), default=2**30))


def _read_kilobytes(path: Path, name: str) -> int | None:
    """Return the value of a line such as `VmRSS:  1234 kB` in bytes; None if the line is missing."""
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:")), None)


def _cgroup_bounds(root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> Iterator[int]:
    """Yield the bytes left under the limit of each control group of this process.

    HTCondor limits a job with control groups (version 2): the job's own group, or one of its parents.
    """
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
            # The kernel frees its cache of files when a process needs the memory.
            cached = next(
                (int(line.split()[1]) for line in statistics.splitlines() if line.startswith("file ")), 0
            )
            yield int(limit) - int(used) + cached
