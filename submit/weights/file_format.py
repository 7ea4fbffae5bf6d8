"""The format of a weights file, detected from its bytes without torch."""

import errno
import math
import struct
import zipfile
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from alignsec import archives

WeightsFormat = Literal["safetensors", "torch", "npz"]

_LONGEST_HEADER = 100_000_000
"""Bytes of a safetensors header; the format's own limit."""
_ELEMENT_BYTES = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3"), 1),
    **dict.fromkeys(("U16", "I16", "F16", "BF16"), 2),
    **dict.fromkeys(("U32", "I32", "F32"), 4),
    **dict.fromkeys(("U64", "I64", "F64", "C64"), 8),
}
"""Bytes of an element by safetensors' name of its type; the format has further types."""
_PICKLES = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
_PAGES = (b"<!doctype", b"<html", b"<?xml", b"<head", b"<error")


class _Tensor(BaseModel):
    """A tensor in the header of a safetensors file."""

    model_config = ConfigDict(strict=True)

    dtype: str
    shape: list[Annotated[int, Field(ge=0)]]
    data_offsets: tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]]

    @property
    def bytes(self) -> int | None:
        """The size that type and shape require; None for an unknown type."""
        element = _ELEMENT_BYTES.get(self.dtype)
        return None if element is None else element * math.prod(self.shape)


class _SafetensorsHeader(BaseModel):
    """The header of a safetensors file: the tensors by name, and optional metadata."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, _Tensor]

    metadata: dict[str, str] | None = Field(default=None, alias="__metadata__")


class InvalidWeightsError(Exception):
    """A file that is not a weights file, or a truncated one."""


class UnknownFormatError(InvalidWeightsError):
    """A file of an unknown format. It may be a valid file of another format."""


def reject_page(head: bytes) -> None:
    """Raise InvalidWeightsError if a file starts like a web page, an error message or a Git LFS pointer.

    Args:
        head: The first bytes of the file.
    """
    start = head[:512].lstrip().lower()
    if start.startswith(_PAGES):
        raise InvalidWeightsError(f"is a web page, not a weights file: {_shown(head)}")
    if start.startswith(b"version https://git-lfs"):
        raise InvalidWeightsError("is a Git LFS pointer, not the weights file that it points to")
    if start.startswith((b'{"error', b'{"message')):
        raise InvalidWeightsError(f"is an error message, not a weights file: {_shown(head)}")


def detect_format(path: Path) -> WeightsFormat:
    """Return the format of a weights file.

    A safetensors file and an archive record their own length, so a truncated one is detected. A torch file written
    before 2020 (a bare pickle) does not.

    Raises:
        InvalidWeightsError: The file is not a weights file, or truncated.
        OSError: The file cannot be read.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(512)
    if not head:
        raise InvalidWeightsError("is empty")
    reject_page(head)
    if head.startswith(b"PK\x03\x04"):
        return _check_archive(path)
    if head.startswith(_PICKLES):
        return "torch"
    if len(head) > 9 and head[8:9] == b"{":
        return _check_safetensors(path, size)
    raise UnknownFormatError(
        f"is not a weights file: expected safetensors, torch or npz; it begins with {_shown(head)}"
    )


def _check_archive(path: Path) -> WeightsFormat:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except archives.ZIP_ERRORS:
        raise InvalidWeightsError("is a truncated or damaged archive") from None
    except OSError as error:
        if error.errno != errno.EINVAL:  # a position before the beginning of the file, from a damaged directory
            raise
        raise InvalidWeightsError("is a truncated or damaged archive") from None
    if any(name.endswith("data.pkl") for name in names):
        return "torch"
    if names and all(name.endswith(".npy") for name in names):
        return "npz"
    raise UnknownFormatError(f"is an archive without tensors; it contains {', '.join(names[:3]) or 'nothing'}")


def _check_safetensors(path: Path, size: int) -> WeightsFormat:
    """Compare the file's size with its header.

    Reference:
        Safetensors, "Format": 8 bytes with the header's length, the header in JSON, the tensors without gaps.
    """
    with path.open("rb") as file:
        length = struct.unpack("<Q", file.read(8))[0]
        if length > min(_LONGEST_HEADER, size):
            raise InvalidWeightsError("is not a weights file, or a truncated safetensors file")
        try:
            header = _SafetensorsHeader.model_validate_json(file.read(length))
        except ValidationError:
            raise InvalidWeightsError("is not a weights file: its safetensors header is invalid") from None
    end = 0
    for name, tensor in sorted((header.model_extra or {}).items(), key=lambda item: item[1].data_offsets):
        begin, stop = tensor.data_offsets
        if begin != end or stop < begin or tensor.bytes not in {None, stop - begin}:
            raise InvalidWeightsError(f"has a tensor {name[:80]!a} whose place or size is wrong: changed")
        end = stop
    expected = 8 + length + end
    if size != expected:
        raise InvalidWeightsError(f"has {size} bytes, but its header requires {expected}: truncated or changed")
    return "safetensors"


def _shown(head: bytes) -> str:
    return ascii(head[:40].decode("latin-1"))
