"""The clock: seconds of the processor, which others on the machine do not lengthen; of the wall beside a GPU."""

import time

import torch

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
"""Where everything is measured."""


def seconds() -> float:
    """Now, all work given to the device done."""
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time()
