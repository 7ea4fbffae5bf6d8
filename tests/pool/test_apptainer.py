"""The container universe on the private pool."""

from submit.pool.private import down
from tests.pool.container_image import make_root_filesystem
from tests.pool.pool_steps import find_processes, kill_master, submit, wait_for_end, wait_for_start

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


def test_a_container_job_runs_inside_its_image(make_pool, tmp_path):
    """The job sees the image's files, its inputs and outputs are transferred, and no job outlives its pool."""
    pool = make_pool("contained", apptainer=True)
    make_root_filesystem(tmp_path / "image")
    (tmp_path / "question").write_text("from outside\n")
    script = "cat /only-inside question; touch answer"
    short = JOB.format(image=tmp_path / "image", script=script) + "transfer_output_files = answer\n"
    long = JOB.format(image=tmp_path / "image", script="sleep 600")
    long_log = submit(pool, tmp_path, long, "long")
    wait_for_end(pool, submit(pool, tmp_path, short, "short"))
    assert (tmp_path / "out").read_text() == "the container\nfrom outside\n", (tmp_path / "err").read_text()
    assert (tmp_path / "answer").exists()
    wait_for_start(long_log)
    kill_master(pool)
    down(pool.folder)
    assert find_processes(pool.folder) == []
