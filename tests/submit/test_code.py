"""The code that travels with a run."""

import os
import subprocess
import sys
import zipfile
from io import BytesIO
from pathlib import Path

from submit import code


def house_of(folder: Path) -> Path:
    for name in ("alignsec/__init__.py", "alignsec/x.csv", "jobs/y.py", "aggregate/z.html", "submit/no.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    (folder / "alignsec" / "__pycache__").mkdir()
    (folder / "alignsec" / "__pycache__" / "x.pyc").write_bytes(b"compiled")
    return folder


def test_it_holds_the_rooms_that_jobs_need(tmp_path: Path):
    """Data files too; no compiled files, nothing of the access point's."""
    names = zipfile.ZipFile(BytesIO(code.archive(house_of(tmp_path)))).namelist()
    assert names == ["aggregate/z.html", "alignsec/__init__.py", "alignsec/x.csv", "jobs/y.py"]


def test_the_same_code_gives_the_same_bytes(tmp_path: Path):
    """Another checkout, another day, another umask: one digest in every outcome."""
    one, other = house_of(tmp_path / "one"), house_of(tmp_path / "other")
    os.utime(other / "jobs" / "y.py", (0, 0))
    (other / "jobs" / "y.py").chmod(0o600)
    assert code.archive(one) == code.archive(other)
    (other / "jobs" / "y.py").write_text("edited")
    assert code.archive(one) != code.archive(other)


def test_it_runs_from_the_zip_alone(tmp_path: Path):
    """As a job on an execute node has it: the jobs' and the FINAL node's commands, without the repository."""
    (tmp_path / "code.zip").write_bytes(code.archive())
    for module in ("jobs.evaluate", "aggregate"):
        done = subprocess.run(
            [sys.executable, "-m", module, "--help"],
            cwd=tmp_path,
            env={"PYTHONPATH": str(tmp_path / "code.zip")},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
