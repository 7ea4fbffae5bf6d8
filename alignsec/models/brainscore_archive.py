"""Entry point: `python -m alignsec.models.brainscore_archive NAME OUT.tar` packs a plugin's downloads.

Run it once for each model, on a machine with network access, in an environment with brainscore_vision (`make
brainscore`). It builds the model with an empty home folder and packs everything that the plugin wrote there. A job
unpacks the archive into its own home folder and builds the model without any download.
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
from alignsec.run.job_environment import SETTINGS, inherited, library_folders

EXCLUDED_FOLDERS = ("__pycache__", ".locks", ".result_caching", ".nv", "matplotlib")
"""Folders that libraries create in a home folder and that no model needs."""


def plugin_environment(home: Path) -> dict[str, str]:
    """Return the environment variables with which libraries keep their downloads below `home`, as in a job.

    Args:
        home: The home folder.
    """
    return {**library_folders(home), "BS_INSTALL_DEPENDENCIES": SETTINGS["BS_INSTALL_DEPENDENCIES"]}


def pack_home(home: Path, archive: Path) -> int:
    """Pack a home folder. The same files always give the same bytes.

    Args:
        home: The home folder.
        archive: The archive to write.

    Returns:
        Number of files in the archive.

    Raises:
        OSError: If a file cannot be read or written.
    """
    files = sorted(
        path
        for path in home.rglob("*")
        if path.is_file() and not set(path.relative_to(home).parts) & set(EXCLUDED_FOLDERS)
    )
    partial = archive.with_name(f".{archive.name}.part")
    # The hub's cache contains links to its files; the content of the files is packed.
    with tarfile.open(partial, "w", format=tarfile.PAX_FORMAT, dereference=True) as tar:
        for path in files:
            member = tar.gettarinfo(str(path), path.relative_to(home).as_posix())
            member.mtime, member.mode, member.uid, member.gid, member.uname, member.gname = 0, 0o644, 0, 0, "", ""
            # A hard link to a packed file is packed as a second file.
            member.type, member.linkname, member.size = tarfile.REGTYPE, "", path.stat().st_size
            with path.open("rb") as content:
                tar.addfile(member, content)
    partial.replace(archive)
    return len(files)


def main() -> int:
    """Build the model in a separate process with an empty home folder, and pack that folder."""
    parser = argparse.ArgumentParser(prog="python -m alignsec.models.brainscore_archive", description=__doc__)
    parser.add_argument("name", help="name of the model in Brain-Score's registry, such as resnet50_tutorial")
    parser.add_argument("archive", type=Path, nargs="?", help="file to write; without it, only build the model")
    return run_command(partial(_run, parser.parse_args()), "no archive was written")


def _run(arguments: argparse.Namespace) -> int:
    if arguments.archive is None:
        brainscore.load_wrapper(arguments.name)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        command = [sys.executable, "-m", "alignsec.models.brainscore_archive", arguments.name]
        checkout = Path(__file__).parents[2]
        environ = {
            **inherited(os.environ, downloads=True),
            **plugin_environment(home),
            "PYTHONPATH": str(checkout),
        }
        built = subprocess.run(command, env=environ, check=False)
        if built.returncode:
            sys.stderr.write(f"{arguments.name} could not be built; no archive was written\n")
            return built.returncode
        count = pack_home(home, arguments.archive)
    sys.stdout.write(f"{arguments.archive}: {count} files, {arguments.archive.stat().st_size / 1e6:.1f} MB\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
