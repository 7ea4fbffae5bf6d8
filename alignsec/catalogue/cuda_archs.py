"""Kernels: which GPUs the pinned torch can compute on."""

TORCH = "2.13.0"
ARCHITECTURES = ("sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120")
"""Of its default build, as torch.cuda.get_arch_list() tells; a test compares it with the installed one."""
LEAST = min(int(name.removeprefix("sm_")) for name in ARCHITECTURES) / 10
"""The lowest compute capability; kernels for 7.5 run on every newer one of the same major version."""
