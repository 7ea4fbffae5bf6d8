"""A minimal container image for the tests."""

import re
import shutil
import subprocess
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
        shutil.copy(path, folder / "bin" / program)
        listed = subprocess.run(["ldd", path], capture_output=True, text=True, check=True).stdout
        for library in re.findall(r"(/\S+) \(", listed):
            place = folder / library.removeprefix("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(library, place)
    (folder / "only-inside").write_text("the container\n")
