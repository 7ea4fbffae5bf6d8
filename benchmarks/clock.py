"""The clock of the benchmarks: processor time on a CPU, unaffected by other processes; wall time on a GPU."""

import time

import torch

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
"""The device of all measurements."""


def seconds() -> float:
    """Return the present time in seconds, after the device has finished its work."""
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time()
