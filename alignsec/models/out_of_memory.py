"""Out of memory: told from other errors, without torch, which a job may be unable to import."""

_BY_NAME = {"MemoryError", "OutOfMemoryError"}
"""Python's own, and torch's for any accelerator."""
_BY_MESSAGE = (
    "DefaultCPUAllocator: can't allocate memory",  # torch's allocator on Linux, a plain RuntimeError
    "DefaultCPUAllocator: not enough memory",  # the same elsewhere
    "CUBLAS_STATUS_ALLOC_FAILED",  # cuBLAS, whose workspace is its own
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out: fewer images at once, or a larger machine, could do better."""
    if not _BY_NAME.isdisjoint(kind.__name__ for kind in type(error).__mro__):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error) for text in _BY_MESSAGE)
