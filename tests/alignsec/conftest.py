"""What the tests of the engine share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Tiny networks gain nothing from threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def inductor_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where torch.compile leaves what it makes, with other backends than inductor too; in this process alone."""
    folder = tmp_path_factory.mktemp("inductor")
    # Precompiled headers would lie in the machine's folder for temporary files.
    told = {"compile_threads": 1, "cpp_cache_precompile_headers": False}
    with pytest.MonkeyPatch.context() as patch, torch._inductor.config.patch(told):
        patch.setenv("TORCHINDUCTOR_CACHE_DIR", str(folder))
        yield folder
