"""Checkpoints: what kind of file was fetched, told from its bytes without torch."""

import json
import struct
import zipfile
from pathlib import Path
from typing import Literal

Kind = Literal["safetensors", "torch", "npz"]

_LONGEST_HEADER = 100_000_000
"""Bytes, of a safetensors file; the format's own limit."""
_PICKLES = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
_PAGES = (b"<!doctype", b"<html", b"<?xml", b"<head", b"<error")


class NoCheckpoint(Exception):
    """A file that is none of the kinds of checkpoint, or one that was cut short."""


class Unrecognised(NoCheckpoint):
    """A file of no kind that is known here, though it may be whole and of another."""


def refuse_page(head: bytes) -> None:
    """Raises NoCheckpoint if a file's first bytes are those of a web page, an error message or a pointer."""
    start = head[:512].lstrip().lower()
    if start.startswith(_PAGES):
        raise NoCheckpoint(f"is a web page, not a checkpoint: {_shown(head)}")
    if start.startswith(b"version https://git-lfs"):
        raise NoCheckpoint("is a pointer of Git LFS, not the checkpoint it points to")
    if start.startswith((b'{"error', b'{"message')):
        raise NoCheckpoint(f"is an error message, not a checkpoint: {_shown(head)}")


def kind(path: Path) -> Kind:
    """What kind of checkpoint a file is.

    A safetensors file and an archive tell their own length, so one that was cut short is found here; a torch file
    of before 2020 (a bare pickle) does not. Raises NoCheckpoint saying what is wrong, OSError.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(512)
    if not head:
        raise NoCheckpoint("is empty")
    refuse_page(head)
    if head.startswith(b"PK\x03\x04"):
        return _archive(path)
    if head.startswith(_PICKLES):
        return "torch"
    if len(head) > 9 and head[8:9] == b"{":
        return _safetensors(path, size)
    raise Unrecognised(f"is no checkpoint: neither safetensors nor torch nor npz; it begins with {_shown(head)}")


def _archive(path: Path) -> Kind:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile:
        raise NoCheckpoint("is an archive that was cut short") from None
    if any(name.endswith("data.pkl") for name in names):
        return "torch"
    if names and all(name.endswith(".npy") for name in names):
        return "npz"
    raise Unrecognised(f"is an archive, but not of tensors; it holds {', '.join(names[:3]) or 'nothing'}")


def _safetensors(path: Path, size: int) -> Kind:
    """Layout: 8 bytes length of the header, the header in JSON, the tensors end to end."""
    with path.open("rb") as file:
        length = struct.unpack("<Q", file.read(8))[0]
        if length > min(_LONGEST_HEADER, size):
            raise NoCheckpoint("is no checkpoint, or a safetensors file that was cut short")
        try:
            header = json.loads(file.read(length))
            ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
        except (ValueError, KeyError, IndexError, TypeError, AttributeError):
            raise NoCheckpoint("is no checkpoint: its safetensors header cannot be read") from None
    expected = 8 + length + max(ends, default=0)
    if size != expected:
        raise NoCheckpoint(f"has {size} bytes, but its header tells of {expected}: it was cut short or changed")
    return "safetensors"


def _shown(head: bytes) -> str:
    return ascii(head[:40].decode("latin-1"))
