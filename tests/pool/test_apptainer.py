"""The container universe on the private pool."""

import re
import shutil
import subprocess
from pathlib import Path

from submit.pool.private import down
from tests.pool.pool_steps import ends, executes, kill_master, processes_of, submit

JOB = """\
universe = container
container_image = {image}
executable = /bin/sh
transfer_executable = False
arguments = "-c '{script}'"
should_transfer_files = YES
transfer_input_files = question
request_memory = 64
output = out
error = err
"""


def make_root_filesystem(folder: Path) -> None:
    """The least that a shell needs, taken from this machine: nothing is fetched."""
    for name in ("proc", "sys", "dev", "tmp", "srv", "etc", "home", "root", "var/tmp"):
        (folder / name).mkdir(parents=True)
    for name in ("passwd", "group"):
        shutil.copy(Path("/etc") / name, folder / "etc")
    (folder / "bin").mkdir()  # no link to usr/bin: HTCondor transfers no links to folders
    for program in ("sh", "cat", "touch", "sleep"):
        path = shutil.which(program)
        assert path is not None
        shutil.copy(path, folder / "bin" / program)
        listed = subprocess.run(["ldd", path], capture_output=True, text=True, check=True).stdout
        for library in re.findall(r"(/\S+) \(", listed):
            place = folder / library.removeprefix("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(library, place)
    (folder / "only-inside").write_text("the container\n")


def test_a_container_job_runs_inside_its_image(make_pool, tmp_path):
    """Its files are the image's, inputs come in, outputs go back; and none outlives its pool."""
    pool = make_pool("contained", apptainer=True)
    make_root_filesystem(tmp_path / "image")
    (tmp_path / "question").write_text("asked outside\n")
    script = "cat /only-inside question; touch answer"
    short = JOB.format(image=tmp_path / "image", script=script) + "transfer_output_files = answer\n"
    long = JOB.format(image=tmp_path / "image", script="sleep 600")
    long_log = submit(pool, tmp_path, long, "long")
    ends(pool, submit(pool, tmp_path, short, "short"))
    assert (tmp_path / "out").read_text() == "the container\nasked outside\n", (tmp_path / "err").read_text()
    assert (tmp_path / "answer").exists()
    executes(long_log)
    kill_master(pool)
    down(pool.folder)
    assert processes_of(pool.folder) == []
