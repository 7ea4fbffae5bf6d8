"""CUDA of the pinned torch: the GPU architectures for which it has kernels, and its runtime version."""

ARCHITECTURES = ("sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120")
"""Output of torch.cuda.get_arch_list() for torch's default build; a test compares it with the installed torch."""
LOWEST_CAPABILITY = min(int(name.removeprefix("sm_")) for name in ARCHITECTURES) / 10
"""Lowest compute capability. Kernels for 7.5 run on every newer one of the same major version."""
RUNTIME = "13.0"
"""CUDA version of torch's default build, torch.version.cuda. The driver of a GPU must support it."""
