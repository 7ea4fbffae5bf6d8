"""The manifest of the assets folder: what it was made from and the digest of each file."""

import json
import os
import shutil
import sys
from collections.abc import Iterable
from dataclasses import astuple
from importlib.metadata import version
from pathlib import Path

from alignsec import atomic, digest
from studies.demo.networks import DemoNetwork

NAME = "manifest.json"

_LIBRARIES = ("numpy", "pillow", "safetensors", "scikit-learn", "scipy", "timm", "torch")


class OccupiedError(OSError):
    """The folder holds files that the demo did not make and must not delete."""


def digest_sources(networks: Iterable[DemoNetwork]) -> str:
    """Return a digest of everything that determines the assets: the demo's code, the networks, the libraries."""
    code = {path.name: digest.sha256_of_file(path) for path in Path(__file__).parent.glob("*.py")}
    libraries = {name: version(name) for name in _LIBRARIES}
    settings = [astuple(network) for network in networks]
    return digest.sha256_of_json([code, libraries, list(sys.version_info[:2]), settings])


def is_current(folder: Path, sources: str) -> bool:
    """Return whether the assets were made from these sources and no file has changed since."""
    try:
        manifest = json.loads((folder / NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(manifest == {"sources": sources, "files": _file_digests(folder)})


def write_manifest(folder: Path, sources: str) -> None:
    """Record the sources of the folder and the SHA-256 of each of its files."""
    manifest = {"sources": sources, "files": _file_digests(folder)}
    atomic.write_atomic(folder / NAME, (json.dumps(manifest, indent=1) + "\n").encode())


def create_partial_folder(folder: Path) -> Path:
    """Create an empty folder next to `folder` to make the assets in, and return it.

    Partial folders of processes that no longer run are deleted.

    Raises:
        OccupiedError: `folder` is not empty and has no manifest.
    """
    if folder.exists() and not (folder / NAME).is_file() and any(folder.iterdir()):
        raise OccupiedError(
            f"{folder}: contains files that the demo did not make; name another folder or empty it"
        )
    prefix = f".{folder.name}.partial-"
    folder.parent.mkdir(parents=True, exist_ok=True)
    for left in folder.parent.glob(prefix + "*"):
        if not _is_running(left.name.removeprefix(prefix)):
            shutil.rmtree(left, ignore_errors=True)
    partial = folder.with_name(f"{prefix}{os.getpid()}")
    partial.mkdir()
    return partial


def replace_folder(partial: Path, folder: Path) -> None:
    """Rename the finished folder into place; the previous folder is deleted, never merged."""
    previous = partial.with_name(partial.name + ".old")
    # If the process is killed between the two renames there are no assets, and the next run makes them.
    if folder.exists():
        folder.rename(previous)
    partial.rename(folder)
    shutil.rmtree(previous, ignore_errors=True)


def _file_digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): digest.sha256_of_file(path)
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
