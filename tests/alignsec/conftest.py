"""Fixtures for tests that run torch."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Run torch with one thread: tiny networks gain nothing from more."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def inductor_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return the folder of torch.compile's files; compile in this process only."""
    folder = tmp_path_factory.mktemp("inductor")
    # Precompiled headers would be written to the machine's folder for temporary files.
    options = {"compile_threads": 1, "cpp_cache_precompile_headers": False}
    with pytest.MonkeyPatch.context() as patch, torch._inductor.config.patch(options):
        patch.setenv("TORCHINDUCTOR_CACHE_DIR", str(folder))
        yield folder
