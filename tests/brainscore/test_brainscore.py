"""Models of Brain-Score, in a separate environment that `make brainscore` creates."""

import os
import subprocess
from pathlib import Path

import pytest


def test_plugins_in_brainscore_environment(checkout: Path, tmp_path: Path):
    """Run plugins.py with the real brainscore_vision: its registry, loader, wrapper and numpy."""
    python = checkout / ".brainscore" / "bin" / "python"
    if not python.exists():
        pytest.skip("needs Brain-Score's environment: make brainscore")
    command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/brainscore/plugins.py"]
    environ = {**os.environ, "HOME": str(tmp_path), "HF_HOME": str(tmp_path), "BS_INSTALL_DEPENDENCIES": "no"}
    done = subprocess.run(
        command, cwd=checkout, env=environ, capture_output=True, text=True, check=False, timeout=500
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
