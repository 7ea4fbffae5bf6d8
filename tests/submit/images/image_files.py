"""Image folders and tar archives for the tests of labels."""

import tarfile
from pathlib import Path

from submit.images.files import Archive


def pack_tar(folder: Path, top: str = "") -> Archive:
    """Pack the files of a folder into a tar whose names begin with `top`."""
    path = folder.parent / f"{folder.name}.tar"
    with tarfile.open(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.add(file, f"{top}{file.relative_to(folder).as_posix()}")
    return Archive(path)
