"""The device of a job: the GPU that HTCondor assigned, or the CPU if it assigned none."""

import torch

_SHARED_BELOW = 0.9
"""A slot with less than this share of the GPU's memory shares the GPU. HTCondor and CUDA count a little
differently: HTCondor's value can be the memory without what the driver reserves."""


class UnusableGpuError(Exception):
    """The job was assigned a GPU and cannot use it. Another machine may have a newer driver or a working GPU."""


def choose_device(assigned: str, wanted: str | None = None) -> torch.device:
    """Return the device to compute on.

    A job that was assigned a GPU never computes on the CPU: it would take many times as long, and its slot's GPU
    would be idle.

    Args:
        assigned: The GPUs that HTCondor assigned to the job; empty if it assigned none.
        wanted: The type of device that the user of a command wants; by default a GPU if there is one.

    Raises:
        UnusableGpuError: If a GPU was assigned, and CUDA cannot be initialised or cannot compute on it.
    """
    if wanted:
        return torch.device(wanted)
    if not assigned:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.cuda.init()
        device = torch.device("cuda")
        # Fails if torch has no kernels for the GPU's architecture, or if the GPU has a hardware error.
        computed = torch.ones(8, 8, device=device).matmul(torch.ones(8, 8, device=device)).sum().item()
    # torch raises an AssertionError if it was built without CUDA.
    except (RuntimeError, AssertionError) as error:
        message = " ".join(str(error).split())
        raise UnusableGpuError(
            f"HTCondor assigned a GPU ({assigned}), and torch {torch.__version__} cannot use it: {message}"
        ) from error
    if computed != 8**3:
        raise UnusableGpuError(f"the assigned GPU ({assigned}) computed {computed:g} instead of {8**3}")
    return device


def limit_gpu_memory(device: torch.device, slot_bytes: int | None) -> None:
    """Limit the allocator to the slot's share of a GPU that several jobs use at once.

    A MIG slice needs no limit, because CUDA reports the slice's memory as the device's.

    Args:
        device: The job's device; nothing is done for a CPU.
        slot_bytes: GPU memory of the job's slot; None if it is unknown.
    """
    if device.type != "cuda" or slot_bytes is None:
        return
    _, total = torch.cuda.mem_get_info(device)
    if slot_bytes < _SHARED_BELOW * total:
        torch.cuda.set_per_process_memory_fraction(slot_bytes / total, device)


def name_device(device: torch.device) -> str:
    """Return the name of the GPU, or "CPU"."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"


def find_uuid(device: torch.device) -> str:
    """Return the UUID of a GPU as nvidia-smi names it; empty for a CPU."""
    return f"GPU-{torch.cuda.get_device_properties(device).uuid}" if device.type == "cuda" else ""


def disable_reduced_precision() -> None:
    """Make PyTorch compute in float32, deterministically. On NVIDIA GPUs, convolutions use TF32 by default."""
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    # The fastest algorithm can differ between runs; identical bits matter more here than speed.
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
