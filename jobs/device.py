"""The device of a job: the GPU that HTCondor assigned, or the CPU if it assigned none."""

import torch


class UnusableGpuError(Exception):
    """The job was assigned a GPU and cannot use it. Another machine may have a newer driver or a working GPU."""


def choose_device(assigned: str) -> torch.device:
    """Return the device to compute on.

    A job that was assigned a GPU never computes on the CPU: it would take many times as long, and its slot's GPU
    would be idle.

    Args:
        assigned: The GPUs that HTCondor assigned to the job; empty if it assigned none.

    Raises:
        UnusableGpuError: If a GPU was assigned, and CUDA cannot be initialised or cannot compute on it.
    """
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
