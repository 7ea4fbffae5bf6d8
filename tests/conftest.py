"""Fixtures and settings for the tests of all rooms: one thread per process, the data folder, the `slow` marker."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests import slow
from tests.paths import CHECKOUT, SHARED_DATA

# Set before torch is imported: tiny networks are slower on many threads than on one.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# A script starts background commands with SIGINT ignored; nohup ignores SIGHUP. Commands under test inherit both.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the slow tests."""
    for item in items:
        path = item.path.relative_to(CHECKOUT)
        in_slow_path = any(path.is_relative_to(slow_path) for slow_path in slow.PATHS)
        if in_slow_path or slow.FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The root of the repository."""
    return CHECKOUT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of third-party data, which is not part of the repository; without it the test is skipped."""
    if not SHARED_DATA.is_dir():
        pytest.skip("needs the folder shared/data next to the repository")
    return SHARED_DATA


@pytest.fixture(scope="session")
def small_disk() -> list[str]:
    """The start of a command that mounts a file system of 64 kB on its first argument and runs the rest.

    The mount is in a user namespace, so other processes do not see it and it ends with the command.
    """
    if shutil.which("unshare") is None:
        pytest.skip("needs unshare to mount a small file system")
    mount = 'mount -t tmpfs -o size=64k none "$0" && exec "$@"'
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount]
    trial = subprocess.run([*command, "/mnt", "true"], capture_output=True, text=True, check=False, timeout=60)
    if trial.returncode:
        pytest.skip(f"needs user namespaces to mount a small file system: {trial.stderr.strip()}")
    return command
