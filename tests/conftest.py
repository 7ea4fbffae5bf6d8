"""What every room's tests need: one thread a test, and the data that lies beside the repository, where it does."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.paths import CHECKOUT

# Before torch is imported anywhere: tiny networks are slower on many threads than on one.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def house() -> Path:
    """The repository's root."""
    return CHECKOUT


@pytest.fixture(scope="session")
def shared() -> Path:
    """Other people's data, which is not copied into the project."""
    folder = CHECKOUT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"needs the data in {folder.parent.name}/{folder.name} beside the repository")
    return folder


@pytest.fixture(scope="session")
def small_disk() -> list[str]:
    """The start of a command that runs the rest with a file system of 64 kB at its first argument, a folder.

    A mount in a user namespace of its own: nothing of it is seen or left outside.
    """
    if shutil.which("unshare") is None:
        pytest.skip("needs unshare, for a small disk that fills up")
    mount = 'mount -t tmpfs -o size=64k none "$0" && exec "$@"'
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount]
    tried = subprocess.run([*command, "/mnt", "true"], capture_output=True, text=True, check=False, timeout=60)
    if tried.returncode:
        pytest.skip(f"needs user namespaces, for a small disk that fills up: {tried.stderr.strip()}")
    return command
