"""Entry point: `python -m alignsec.models.brainscore_archive NAME OUT.tar` packs what a plugin fetches.

Run it once a model, on a machine with a network, in an environment that has brainscore_vision (`make
brainscore`): the model is built in an empty home, and everything that its plugin left there becomes the archive.
A job unpacks it into its own home and builds the model from it, downloading nothing.
"""

import argparse
import os
import subprocess
import sys
import tarfile
import tempfile
from functools import partial
from pathlib import Path

from alignsec.command import run_command
from alignsec.models import brainscore

NOT_FETCHED = ("__pycache__", ".locks", ".result_caching", ".nv", "matplotlib")
"""Folders that libraries leave in a home and no model is built from."""


def environment(home: Path) -> dict[str, str]:
    """Where libraries keep what they fetch, as a job has it; see submit/condor/description.py."""
    places = {
        "HOME": home,
        "HF_HOME": home / "hub",
        "TORCH_HOME": home / "torch",
        "MPLCONFIGDIR": home / "matplotlib",
    }
    return {**{name: str(path) for name, path in places.items()}, "BS_INSTALL_DEPENDENCIES": "no"}


def pack(home: Path, archive: Path) -> int:
    """Pack a home, the same bytes for the same files. Returns how many files; raises OSError."""
    files = sorted(
        path
        for path in home.rglob("*")
        if path.is_file() and not set(path.relative_to(home).parts) & set(NOT_FETCHED)
    )
    part = archive.with_name(f".{archive.name}.part")
    # The hub's cache holds links to its files; what they lead to is packed.
    with tarfile.open(part, "w", format=tarfile.PAX_FORMAT, dereference=True) as tar:
        for path in files:
            member = tar.gettarinfo(str(path), path.relative_to(home).as_posix())
            member.mtime, member.mode, member.uid, member.gid, member.uname, member.gname = 0, 0o644, 0, 0, "", ""
            # A second name of the same file is a file of its own.
            member.type, member.linkname, member.size = tarfile.REGTYPE, "", path.stat().st_size
            with path.open("rb") as content:
                tar.addfile(member, content)
    part.replace(archive)
    return len(files)


def main() -> int:
    """Read the arguments; build the model in a process of its own, whose home is empty; pack that home."""
    parser = argparse.ArgumentParser(prog="python -m alignsec.models.brainscore_archive", description=__doc__)
    parser.add_argument("name", help="the model's name in Brain-Score's registry, such as resnet50_tutorial")
    parser.add_argument("archive", type=Path, nargs="?", help="the file to write; none: only build the model")
    return run_command(partial(_run, parser.parse_args()), "no archive was written")


def _run(arguments: argparse.Namespace) -> int:
    if arguments.archive is None:
        brainscore.load(arguments.name)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        again = [sys.executable, "-m", "alignsec.models.brainscore_archive", arguments.name]
        built = subprocess.run(again, env={**os.environ, **environment(home)}, check=False)
        if built.returncode:
            sys.stderr.write(f"{arguments.name} could not be built; nothing was written\n")
            return built.returncode
        count = pack(home, arguments.archive)
    sys.stdout.write(f"{arguments.archive}: {count} files, {arguments.archive.stat().st_size / 1e6:.1f} MB\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
