"""What the assets were made from and what they consist of, so that making them again can be skipped."""

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterable
from dataclasses import astuple
from importlib.metadata import version
from pathlib import Path

from studies.demo.listing import ModelEntry

NAME = "manifest.json"

_LIBRARIES = ("numpy", "pillow", "safetensors", "scikit-learn", "scipy", "timm", "torch")


class OccupiedError(OSError):
    """The folder holds something that was not made here, and would be lost."""


def digest_sources(entries: Iterable[ModelEntry]) -> str:
    """Return a digest of all that decides the assets: this package's code, the models, the libraries."""
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    facts = [astuple(entry) for entry in entries], [version(name) for name in _LIBRARIES], sys.version_info[:2]
    digest.update(json.dumps(facts, sort_keys=True).encode())
    return digest.hexdigest()


def is_current(folder: Path, sources: str) -> bool:
    """Tell whether the folder's assets were made from these sources and every file is still as it was made."""
    try:
        manifest = json.loads((folder / NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(manifest == {"sources": sources, "files": _file_digests(folder)})


def write_manifest(folder: Path, sources: str) -> None:
    """Record what the folder was made from and the SHA-256 of each of its files."""
    manifest = {"sources": sources, "files": _file_digests(folder)}
    (folder / NAME).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


def partial_folder(folder: Path) -> Path:
    """Make and return an empty folder beside the one meant, removing those that killed runs left behind.

    Raises:
        OccupiedError: the folder meant is not empty and holds no manifest.
    """
    if folder.exists() and not (folder / NAME).is_file() and any(folder.iterdir()):
        raise OccupiedError(f"{folder}: holds files the demo did not make; name a new folder, or empty it")
    prefix = f".{folder.name}.partial-"
    folder.parent.mkdir(parents=True, exist_ok=True)
    for left in folder.parent.glob(prefix + "*"):
        if not _is_running(left.name.removeprefix(prefix)):
            shutil.rmtree(left, ignore_errors=True)
    partial = folder.with_name(f"{prefix}{os.getpid()}")
    partial.mkdir()
    return partial


def put_in_place(partial: Path, folder: Path) -> None:
    """Rename the finished folder into place; what stood there is removed, and is never mixed with the new."""
    aside = partial.with_name(partial.name + ".old")
    # Between the two renames there are no assets at all, which the next run mends.
    if folder.exists():
        folder.rename(aside)
    partial.rename(folder)
    shutil.rmtree(aside, ignore_errors=True)


def _file_digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path != folder / NAME
    }


def _is_running(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, ValueError):
        return False
    except PermissionError:
        return True
    return True
