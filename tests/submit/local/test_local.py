"""Runs on this machine: retries, working folders, and the number of pairs run at a time."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from alignsec.errors import ConfigErrors
from alignsec.run import exit_code
from alignsec.run.outcome import Failure, Record
from alignsec.run.progress import Progress
from submit.local import EndedJob, LocalRun
from tests.submit.local.fake_python import FakePythonRun


def test_every_pair_is_run_once(prepared: FakePythonRun):
    assert prepared.run() == {pair.id: exit_code.DONE for pair in prepared.plan}
    assert sorted(prepared.started) == sorted(pair.id for pair in prepared.plan)
    assert all(isinstance(prepared.outcome(pair.id), Record) for pair in prepared.plan)
    assert not prepared.folder.scratch.exists()


def test_a_job_gets_only_its_own_files(prepared: FakePythonRun):
    """A folder with the pair, its weights, its images and a home; the environment names code, home and threads."""
    prepared.run()
    planned = prepared.plan.planned[0]
    log = prepared.folder.log(planned.pair.id).read_text().splitlines()
    environment = next(line for line in log if line.startswith("environ"))
    names = [*(Path(path).name for path in planned.inputs), "shard-00000.json", "home"]
    assert environment.endswith(" ".join(sorted(names)))
    for variable in ("PYTHONPATH", "HOME", "TORCHINDUCTOR_CACHE_DIR", "OMP_NUM_THREADS", "PATH"):
        assert f'"{variable}"' in environment


def test_a_job_inherits_no_secret(prepared: FakePythonRun):
    """Only the variables of one table reach a job: no tokens and no keys of the user."""
    secrets = {"HF_TOKEN": "hf_x", "AWS_SECRET_ACCESS_KEY": "x", "GITHUB_TOKEN": "x", "WANDB_API_KEY": "x"}
    run = prepared.local()
    run.environ = {**run.environ, **secrets, "CUDA_VISIBLE_DEVICES": "1"}
    list(run.run(prepared.plan))
    log = prepared.folder.log(prepared.plan.planned[0].pair.id).read_text()
    assert '"CUDA_VISIBLE_DEVICES"' in log
    assert not [name for name in secrets if name in log]


def test_finished_pairs_are_not_run_again(prepared: FakePythonRun):
    prepared.run()
    before = {path: path.stat().st_mtime_ns for path in prepared.folder.outcomes.iterdir()}
    assert prepared.run() == {}
    assert len(prepared.started) == 4
    assert {path: path.stat().st_mtime_ns for path in prepared.folder.outcomes.iterdir()} == before


def test_a_job_that_failed_through_its_machine_is_retried(prepared: FakePythonRun):
    prepared.set_behaviour(a_clean="second time")
    assert prepared.run()[prepared.id("a", "clean")] == exit_code.DONE
    assert prepared.started.count(prepared.id("a", "clean")) == 2
    assert isinstance(prepared.outcome(prepared.id("a", "clean")), Record)


def test_a_hopeless_job_is_not_retried(prepared: FakePythonRun):
    prepared.set_behaviour(a_clean="hopeless")
    assert prepared.run()[prepared.id("a", "clean")] == exit_code.PERMANENT_FAILURE
    assert prepared.started.count(prepared.id("a", "clean")) == 1
    assert isinstance(prepared.outcome(prepared.id("a", "clean")), Failure)


def test_retries_end(prepared: FakePythonRun):
    prepared.set_behaviour(a_clean="try again")
    assert prepared.run(retries=2)[prepared.id("a", "clean")] == exit_code.TEMPORARY_FAILURE
    assert prepared.started.count(prepared.id("a", "clean")) == 3


def test_a_failed_pair_is_run_again_next_time(prepared: FakePythonRun):
    prepared.set_behaviour(a_clean="hopeless")
    prepared.run()
    prepared.set_behaviour()
    assert prepared.run() == {prepared.id("a", "clean"): exit_code.DONE}


@pytest.mark.parametrize(
    ("behaviour", "message"),
    [("killed", "was killed by signal 9"), ("silent", "ended with exit code 3 and left no outcome")],
)
def test_a_job_without_an_outcome_becomes_a_failure(prepared: FakePythonRun, behaviour: str, message: str):
    """The job was killed or ended early: the failure states how, and where the log is."""
    prepared.set_behaviour(a_clean=behaviour)
    prepared.run(retries=1)
    pair_id = prepared.id("a", "clean")
    assert prepared.started.count(pair_id) == 2
    found = prepared.outcome(pair_id)
    assert isinstance(found, Failure)
    assert message in found.reason
    assert str(prepared.folder.log(pair_id)) in found.reason
    assert not found.hopeless


@pytest.mark.parametrize("damage", [b"", b"{", b"half"])
def test_a_damaged_outcome_is_run_again(prepared: FakePythonRun, damage: bytes):
    prepared.run()
    pair_id = prepared.id("b", "clean")
    prepared.folder.outcome(pair_id).write_bytes(damage)
    assert prepared.run() == {pair_id: exit_code.DONE}
    assert isinstance(prepared.outcome(pair_id), Record)


def test_an_outcome_edited_by_hand_is_run_again(prepared: FakePythonRun):
    prepared.run()
    pair_id = prepared.id("b", "clean")
    path = prepared.folder.outcome(pair_id)
    path.write_bytes(path.read_bytes().replace(b"RRRW", b"RRRR"))
    assert prepared.run() == {pair_id: exit_code.DONE}


def test_progress_is_reported(prepared: FakePythonRun):
    reported: list[tuple[str, Progress]] = []
    local = prepared.local()
    local.on_progress = lambda pair_id, progress: reported.append((pair_id, progress))
    list(local.run(prepared.plan))
    assert {pair_id for pair_id, _ in reported} == {pair.id for pair in prepared.plan}
    assert reported[0][1] == Progress(2, 4, 10.0, 3, "step 1 of 2")


@pytest.mark.parametrize("processes", [1, 3])
def test_no_more_pairs_run_at_a_time_than_requested(prepared: FakePythonRun, processes: int):
    prepared.set_behaviour(a_clean="waits", **{"a_apgd-ce": "waits"}, b_clean="waits", **{"b_apgd-ce": "waits"})
    running: Iterator[EndedJob] = prepared.local(processes=processes).run(prepared.plan)
    counted: list[int] = []

    def release() -> None:
        prepared.wait_for_jobs(processes)
        time.sleep(0.2)
        counted.append(len(list(prepared.control.glob("*.pid"))))
        (prepared.control / "go").touch()

    thread = threading.Thread(target=release)
    thread.start()
    assert len(list(running)) == 4
    thread.join()
    assert counted == [processes]


def test_a_missing_python_is_reported(prepared: FakePythonRun):
    """PYTHON in .env is not a program."""
    local = LocalRun(prepared.folder, "/no/such/python", {}, 1, 0)
    with pytest.raises(ConfigErrors, match="/no/such/python"):
        list(local.run(prepared.plan))
