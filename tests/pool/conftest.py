"""A real pool for the tests, started once. Without a pool the tests are skipped with the reason, or fail in CI.

ALIGNSEC_TEST_POOL is the folder of a pool to use and to keep running. ALIGNSEC_TEST_SUITE is a Debian suite whose
HTCondor is downloaded even if one is installed.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from submit.pool.pool import Pool, PoolOptions, PoolStartError, PoolUnavailableError
from submit.pool.private import clean, find_installed, up
from tests.pool.pool_steps import MakePool


@contextmanager
def _private_pool(folder: Path, **options: Any) -> Iterator[Pool]:
    suite = os.environ.get("ALIGNSEC_TEST_SUITE")
    chosen = {"suite": suite} if suite else {"installed": find_installed(os.environ)}
    try:
        yield up(folder, PoolOptions(**{"cpus": 16, "memory_mb": 16384, **chosen, **options}))
    except PoolUnavailableError as reason:
        if isinstance(reason, PoolStartError) or os.environ.get("CI"):
            pytest.fail(f"no pool, which is an error here or in CI: {reason}")
        pytest.skip(f"no pool: {reason}")
    finally:
        clean(folder)


@pytest.fixture(scope="session")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    """One pool with 16 CPUs and 16 GB, independent of the machine, for all tests that only submit to it."""
    folder = os.environ.get("ALIGNSEC_TEST_POOL")
    if folder:
        yield up(Path(folder))
        return
    with _private_pool(tmp_path_factory.mktemp("pool")) as made:
        yield made


@pytest.fixture
def make_pool(tmp_path: Path) -> Iterator[MakePool]:
    """A function that starts pools for one test: `make_pool("name", cpus=1)`. Each name has its own folder."""
    with ExitStack() as stack:

        def make(name: str, **options: Any) -> Pool:
            return stack.enter_context(_private_pool(tmp_path / name, **options))

        yield make
