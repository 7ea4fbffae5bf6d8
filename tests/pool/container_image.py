"""Minimal root filesystems of container images for the tests."""

import re
import shutil
import subprocess
import sys
from pathlib import Path


def make_root_filesystem(folder: Path) -> None:
    """Copy what a shell needs from this machine, without downloads."""
    for name in ("proc", "sys", "dev", "tmp", "srv", "etc", "home", "root", "var/tmp"):
        (folder / name).mkdir(parents=True)
    for name in ("passwd", "group"):
        shutil.copy(Path("/etc") / name, folder / "etc")
    (folder / "bin").mkdir()  # not a link to usr/bin, because HTCondor transfers no links to folders
    for program in ("sh", "cat", "touch", "sleep", "mkdir", "cut", "head", "tail", "sha256sum"):
        path = shutil.which(program)
        assert path is not None
        _copy_program(Path(path), folder / "bin" / program, folder)
    (folder / "only-inside").write_text("the container\n")


def add_python(folder: Path) -> None:
    """Add this machine's Python with pip, at the places where the base image python: has them."""
    base = Path(sys.base_prefix)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    shutil.copytree(
        base / "lib" / version, folder / "usr/local/lib" / version, ignore=_ignore_large, symlinks=True
    )
    programs = folder / "usr/local/bin"
    programs.mkdir(parents=True)
    shutil.copy(base / "bin" / version, programs / "python3")
    (programs / "pip").write_text('#!/bin/sh\nexec python3 -m pip "$@"\n')
    (programs / "pip").chmod(0o755)
    for program in ("chmod", "rm"):
        _copy_program(Path(shutil.which(program) or program), folder / "bin" / program, folder)
    for binary in (programs / "python3", *folder.rglob("lib-dynload/*.so")):
        _copy_libraries(binary, folder)
    # Libraries of wheels: uv, and the compiled parts of pydantic and HTCondor's bindings.
    listed = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=True).stdout
    for name in ("libgcc_s.so.1", "libstdc++.so.6", "librt.so.1", "libdl.so.2", "libpthread.so.0"):
        _copy_into(next(line.split(" => ")[1] for line in listed.splitlines() if name in line), folder)


def _ignore_large(folder: str, names: list[str]) -> list[str]:
    if folder.endswith("site-packages"):
        return [name for name in names if not name.startswith("pip")]
    return [name for name in names if name in {"test", "idlelib", "__pycache__"} or name.startswith("config-")]


def _copy_program(path: Path, target: Path, folder: Path) -> None:
    shutil.copy(path, target)
    _copy_libraries(path, folder)


def _copy_libraries(binary: Path, folder: Path) -> None:
    """Copy the libraries that a program or library loads; a static one loads none."""
    listed = subprocess.run(["ldd", binary], capture_output=True, text=True, check=False).stdout
    for library in re.findall(r"(/\S+) \(", listed):
        _copy_into(library, folder)


def _copy_into(library: str, folder: Path) -> None:
    place = folder / library.removeprefix("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(library, place)
