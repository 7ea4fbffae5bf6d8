"""Archives of Brain-Score's models: no file of an archive is imported when a job starts."""

import io
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from alignsec.models import brainscore
from alignsec.models.errors import ModelError
from alignsec.run.job_environment import CODE, job_environment
from alignsec.spec.pair import File
from tests import paths, tiny

VERSION = f"python{sys.version_info.major}.{sys.version_info.minor}"
USER_SITE = f".local/lib/{VERSION}/site-packages"
NAMES = (
    *("timm.py", "torch.py", "jobs.py", "alignsec.py", "sitecustomize.py", "usercustomize.py"),
    *(f"{USER_SITE}/usercustomize.py", f"{USER_SITE}/timm.py", f"{USER_SITE}/run.pth", CODE),
)


def write_archive(path: Path, data: bytes) -> None:
    with tarfile.open(path, "w") as tar:
        for name in NAMES:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


def test_nothing_of_an_archive_is_imported(tmp_path: Path):
    """Also when the job is restarted in the same folder, and where its archive has a file with the code's name."""
    (tmp_path / CODE).write_bytes(b"the run's code")
    marker = tmp_path / "code-ran"
    write_archive(tmp_path / "w.tar", f"import pathlib; pathlib.Path({str(marker)!r}).touch()\n".encode())
    model = tiny.pair(
        source="brainscore:no_such_model",
        options={},
        conversion="brainscore",
        weights=File(name="w.tar", sha256="1" * 64),
    ).model
    with pytest.raises(ModelError):
        brainscore.build(model, tmp_path)
    home = tmp_path / "home"
    unpacked = {
        str(path.relative_to(tmp_path / "home")) for path in (tmp_path / "home").rglob("*") if path.is_file()
    }
    assert unpacked == set(NAMES)
    assert (tmp_path / CODE).read_bytes() == b"the run's code"
    done = subprocess.run(
        [sys.executable, "-m", "jobs.evaluate", "--help"],
        cwd=tmp_path,
        env=job_environment(tmp_path, paths.CHECKOUT),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = subprocess.run(
        [sys.executable, "-c", "import sys; print(sys.path)"],
        cwd=home,
        env=job_environment(tmp_path, paths.CHECKOUT),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert str(tmp_path) not in found
    assert "''" not in found
    assert not marker.exists()
