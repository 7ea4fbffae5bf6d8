"""Errors of models: the error for an unusable model, and the test for errors that mean "out of memory".

This module must not import torch: a job imports it before it knows whether torch can be imported.
"""

_OUT_OF_MEMORY_TYPES = {"MemoryError", "OutOfMemoryError"}
"""Class names: Python's own error, and torch's error for any accelerator."""
_OUT_OF_MEMORY_MESSAGES = (
    "DefaultCPUAllocator: can't allocate memory",  # torch's CPU allocator on Linux, a plain RuntimeError
    "DefaultCPUAllocator: not enough memory",  # torch's CPU allocator on other systems
    "CUBLAS_STATUS_ALLOC_FAILED",  # cuBLAS, which allocates its workspace itself
)


class ModelError(Exception):
    """The model cannot be built, its weights do not fit it, or it returns no usable logits.

    Another machine would fail in the same way.
    """


def is_out_of_memory(error: BaseException) -> bool:
    """Return True if an error means that memory ran out.

    A smaller batch, or a machine with more memory, may then succeed.
    """
    if not _OUT_OF_MEMORY_TYPES.isdisjoint(kind.__name__ for kind in type(error).__mro__):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error) for text in _OUT_OF_MEMORY_MESSAGES)
