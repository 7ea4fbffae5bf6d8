"""The private pool with real daemons."""

import json
import os
import subprocess
import sys

import pytest

from submit.pool import daemons
from submit.pool.private import down, find, up
from tests.pool.pool_steps import (
    TERMINATED,
    find_processes,
    kill_master,
    shell_job,
    submit,
    wait_for_end,
    wait_for_start,
)

QUERY = "import htcondor2 as h; print(len(h.Schedd().query()), h.param['LOCAL_DIR'])"


def test_a_vanilla_job_runs_and_returns_its_output(pool, tmp_path):
    more = "transfer_input_files = question\ntransfer_output_files = answer\n"
    (tmp_path / "question").write_text("six times seven\n")
    wait_for_end(pool, submit(pool, tmp_path, shell_job("id -un; cat question > answer", more)))
    assert (tmp_path / "job.out").read_text() == f"{pool.user}\n"
    assert (tmp_path / "answer").read_text() == "six times seven\n"


def test_a_job_reads_the_python_of_the_tests(pool, tmp_path):
    """This includes a Python below a home folder of mode 0700, such as root's."""
    wait_for_end(pool, submit(pool, tmp_path, shell_job(f"{sys.executable} -c 1 && echo can")))
    assert (tmp_path / "job.out").read_text() == "can\n", (tmp_path / "job.err").read_text()


def test_a_dag_of_eight_nodes_and_final_finishes(pool, tmp_path):
    """The DAG is submitted by hand from a shell that has only the pool's environment."""
    nodes = [f"JOB n{number} node.sub\n" for number in range(8)]
    (tmp_path / "study.dag").write_text("".join([*nodes, "FINAL last node.sub\n"]))
    (tmp_path / "node.sub").write_text(shell_job("sleep 0") + "queue\n")
    environ = {**os.environ, **pool.environment(os.environ["PATH"])}
    command = ["condor_submit_dag", "study.dag"]
    subprocess.run(command, cwd=tmp_path, env=environ, check=True, capture_output=True)
    wait_for_end(pool, tmp_path / "study.dag.dagman.log")
    metrics = json.loads((tmp_path / "study.dag.metrics").read_text())
    assert metrics["exitcode"] == 0
    assert metrics["jobs_succeeded"] == 9


@pytest.mark.parametrize("by", ["pool.run", "a plain shell"])
def test_python_bindings_query_the_schedd(pool, by):
    """PyPI's newest bindings work with every version of the daemons."""
    command = [sys.executable, "-c", QUERY]
    if by == "pool.run":
        done = pool.run(command)
    else:
        environ = {**os.environ, **pool.environment(os.environ["PATH"])}
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[1] == str(pool.folder)


def test_up_returns_the_running_pool(pool):
    before = daemons.find_master(pool.config)
    assert up(pool.folder) == pool
    assert daemons.find_master(pool.config) == before


def test_find_returns_the_pool_of_condor_config(pool, tmp_path):
    """The pool of another checkout is usable, but this checkout does not own it."""
    found = find(tmp_path / "none", pool.environment(os.environ["PATH"]))
    assert found is not None
    assert (found.config, found.prefix, found.user, found.owned) == (pool.config, pool.prefix, pool.user, False)
    assert found.run(["condor_q", "-totals"]).returncode == 0
    assert find(pool.folder, {}) == pool


def test_two_pools_do_not_see_each_others_jobs(pool, make_pool, tmp_path):
    other = make_pool("other pool", cpus=1)  # paths with spaces are common on desktops
    submit(other, tmp_path, shell_job("sleep 600", "hold = True\n"))
    owners = [each.run(["condor_q", "-allusers", "-af", "Iwd"], check=True).stdout for each in (pool, other)]
    assert str(tmp_path) not in owners[0]
    assert str(tmp_path) in owners[1]


def test_simulated_gpus_match_by_memory(make_pool, tmp_path):
    """The pool has two A100-40GB. A job that requests 39 GB matches, and a job that requests 80 GB stays idle."""
    pool = make_pool("gpus", gpus="4,2")
    gpu = "request_gpus = 1\ngpus_minimum_memory = "
    submit(pool, tmp_path, shell_job("sleep 0", gpu + "80000\n"), "large")
    wait_for_end(pool, submit(pool, tmp_path, shell_job("echo $_CONDOR_AssignedGPUs", gpu + "39000\n"), "fitting"))
    assert (tmp_path / "job.out").read_text().startswith("GPU-")
    states = pool.run(["condor_q", "-af", "JobStatus"], check=True).stdout.split()
    assert states == ["1"], "the job for 80 GB is idle, the other has ended"


def test_a_killed_pool_restarts_and_finishes_its_queue(make_pool, tmp_path):
    """When the master is killed, one job runs and one is idle. Both finish once, and no old process remains."""
    pool = make_pool("killed", cpus=1)
    running = submit(pool, tmp_path, shell_job("sleep 2"), "running")
    waiting = submit(pool, tmp_path, shell_job("sleep 0"), "waiting")
    wait_for_start(running)
    old = kill_master(pool)
    assert len(old) >= 5, "collector, negotiator, schedd, startd and the job outlive their master"
    again = up(pool.folder)
    assert again.config == pool.config
    assert not old & set(daemons.find_leftovers(pool.config))
    for log in (running, waiting):
        wait_for_end(again, log)
        assert log.read_text().count(TERMINATED) == 1


def test_down_leaves_no_process(make_pool, tmp_path):
    """This holds after the master was killed while a job ran. A second `down` succeeds."""
    pool = make_pool("ended")
    wait_for_start(submit(pool, tmp_path, shell_job("sleep 600")))
    kill_master(pool)
    assert find_processes(pool.folder)
    down(pool.folder)
    assert find_processes(pool.folder) == []
    assert find(pool.folder, {}) is None
    down(pool.folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's pool runs as another user")
@pytest.mark.parametrize("method", ["namespace", "capabilities"])
def test_roots_pool_works_with_either_method(make_pool, tmp_path, method):
    """A job submitted from an ordinary root shell writes into a 0700 folder and reads the tests' Python."""
    tmp_path.chmod(0o700)
    pool = make_pool("rooted", root_as=method)
    environ = {**os.environ, **pool.environment(os.environ["PATH"])}
    (tmp_path / "job.sub").write_text(shell_job(f"{sys.executable} -c 1 && id -u", "log = job.log\n") + "queue\n")
    subprocess.run(["condor_submit", "job.sub"], cwd=tmp_path, env=environ, check=True, capture_output=True)
    wait_for_end(pool, tmp_path / "job.log")
    assert (tmp_path / "job.out").read_text() not in ("", "0\n")
    owner = (tmp_path / "job.out").stat().st_uid
    assert (owner == 0) == (method == "namespace")
