"""Exceptions that tarfile and zipfile raise for a damaged archive, for every place where one is read.

Both libraries document one exception each, and raise many others, depending on the damaged byte. Found by fuzzing
(`make fuzz`) with Python 3.11.
"""

import gzip
import lzma
import struct
import tarfile
import zipfile
import zlib

_DAMAGED = (
    ArithmeticError, EOFError, LookupError, MemoryError, RuntimeError, TypeError, ValueError,
    lzma.LZMAError, struct.error,
    zlib.error,
)  # fmt: skip
"""Sizes, offsets and numbers that make no sense, and compressed data that cannot be unpacked."""
TAR_ERRORS = (tarfile.TarError, gzip.BadGzipFile, *_DAMAGED)
"""OSError is not among them: it can also be an error of the disk."""
ZIP_ERRORS = (zipfile.BadZipFile, *_DAMAGED)
"""Also for a password and an unknown compression method. An offset before the beginning of the file is an OSError
with the number EINVAL."""


def explain(error: BaseException) -> str:
    """Return in one line why an archive cannot be read, for one of these exceptions."""
    return (str(error).splitlines() or [""])[0][:200].rstrip(":") or type(error).__name__
