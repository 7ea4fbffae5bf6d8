"""The zip of code that a run's jobs import."""

import os
import subprocess
import sys
import zipfile
from io import BytesIO
from pathlib import Path

from submit import code


def make_checkout(folder: Path) -> Path:
    for name in ("alignsec/__init__.py", "alignsec/x.csv", "jobs/y.py", "aggregate/z.html", "submit/no.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    (folder / "alignsec" / "__pycache__").mkdir()
    (folder / "alignsec" / "__pycache__" / "x.pyc").write_bytes(b"compiled")
    return folder


def test_it_holds_the_rooms_that_jobs_need(tmp_path: Path):
    """Data files are included; compiled files and the access point's commands are not."""
    names = zipfile.ZipFile(BytesIO(code.build_archive(make_checkout(tmp_path)))).namelist()
    assert names == ["aggregate/z.html", "alignsec/__init__.py", "alignsec/x.csv", "jobs/y.py"]


def test_the_same_code_gives_the_same_bytes(tmp_path: Path):
    """Another checkout, another time and another umask give the same digest."""
    one, other = make_checkout(tmp_path / "one"), make_checkout(tmp_path / "other")
    os.utime(other / "jobs" / "y.py", (0, 0))
    (other / "jobs" / "y.py").chmod(0o600)
    assert code.build_archive(one) == code.build_archive(other)
    (other / "jobs" / "y.py").write_text("edited")
    assert code.build_archive(one) != code.build_archive(other)


def test_it_runs_from_the_zip_alone(tmp_path: Path):
    """The commands of the jobs and of the FINAL node start without the checkout, as on an execute node."""
    (tmp_path / "code.zip").write_bytes(code.build_archive())
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
