"""Running pairs here: each as often as it needs, in a folder of its own, so many at once."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from alignsec.errors import ConfigErrors
from alignsec.run import exit_code
from alignsec.run.outcome import Failure, Record
from alignsec.run.progress import Progress
from submit.local import Ended, Local
from tests.submit.local.conftest import Made


def test_every_pair_is_run_once(made: Made):
    assert made.run() == {pair.id: exit_code.DONE for pair in made.plan}
    assert sorted(made.started) == sorted(pair.id for pair in made.plan)
    assert all(isinstance(made.outcome(pair.id), Record) for pair in made.plan)
    assert not made.folder.scratch.exists()


def test_a_job_gets_its_files_and_no_more(made: Made):
    """An empty folder with the pair, its weights and its images; code, home and threads from the environment."""
    made.run()
    planned = made.plan.planned[0]
    log = made.folder.log(planned.pair.id).read_text().splitlines()
    said = next(line for line in log if line.startswith("environ"))
    names = [Path(path).name for path in planned.inputs] + [f"{planned.pair.id}.json"]
    assert said.endswith(" ".join(sorted(names)))
    for variable in ("PYTHONPATH", "HOME", "TORCHINDUCTOR_CACHE_DIR", "OMP_NUM_THREADS", "PATH"):
        assert f'"{variable}"' in said


def test_what_is_finished_is_not_run_again(made: Made):
    made.run()
    before = {path: path.stat().st_mtime_ns for path in made.folder.outcomes.iterdir()}
    assert made.run() == {}
    assert len(made.started) == 4
    assert {path: path.stat().st_mtime_ns for path in made.folder.outcomes.iterdir()} == before


def test_a_failed_machine_is_tried_again(made: Made):
    made.does(a_clean="second time")
    assert made.run()[made.id("a", "clean")] == exit_code.DONE
    assert made.started.count(made.id("a", "clean")) == 2
    assert isinstance(made.outcome(made.id("a", "clean")), Record)


def test_a_wrong_request_is_not(made: Made):
    made.does(a_clean="hopeless")
    assert made.run()[made.id("a", "clean")] == exit_code.HOPELESS
    assert made.started.count(made.id("a", "clean")) == 1
    assert isinstance(made.outcome(made.id("a", "clean")), Failure)


def test_retries_end(made: Made):
    made.does(a_clean="try again")
    assert made.run(retries=2)[made.id("a", "clean")] == exit_code.TRY_AGAIN
    assert made.started.count(made.id("a", "clean")) == 3


def test_a_failed_pair_is_run_again_next_time(made: Made):
    made.does(a_clean="hopeless")
    made.run()
    made.does()
    assert made.run() == {made.id("a", "clean"): exit_code.DONE}


@pytest.mark.parametrize(
    ("does", "says"),
    [("killed", "was killed by signal 9"), ("silent", "ended with exit code 3 and left no outcome")],
)
def test_a_job_that_says_nothing_becomes_a_failure(made: Made, does: str, says: str):
    """Killed for memory, or dead before its first line: the failure names how, and where the log is."""
    made.does(a_clean=does)
    made.run(retries=1)
    pair_id = made.id("a", "clean")
    assert made.started.count(pair_id) == 2
    found = made.outcome(pair_id)
    assert isinstance(found, Failure)
    assert says in found.reason
    assert str(made.folder.log(pair_id)) in found.reason
    assert not found.hopeless


@pytest.mark.parametrize("damage", [b"", b"{", b"half"])
def test_a_damaged_outcome_is_run_again(made: Made, damage: bytes):
    made.run()
    pair_id = made.id("b", "clean")
    made.folder.outcome(pair_id).write_bytes(damage)
    assert made.run() == {pair_id: exit_code.DONE}
    assert isinstance(made.outcome(pair_id), Record)


def test_an_outcome_edited_by_hand_is_run_again(made: Made):
    made.run()
    pair_id = made.id("b", "clean")
    path = made.folder.outcome(pair_id)
    path.write_bytes(path.read_bytes().replace(b"RRRW", b"RRRR"))
    assert made.run() == {pair_id: exit_code.DONE}


def test_progress_is_passed_on(made: Made):
    told: list[tuple[str, Progress]] = []
    local = made.local()
    local.on_progress = lambda pair_id, progress: told.append((pair_id, progress))
    list(local.run(made.plan))
    assert {pair_id for pair_id, _ in told} == {pair.id for pair in made.plan}
    assert told[0][1] == Progress(2, 4, 10.0, 3, "step 1 of 2")


@pytest.mark.parametrize("processes", [1, 3])
def test_so_many_at_once_and_no_more(made: Made, processes: int):
    made.does(a_clean="waits", **{"a_apgd-ce": "waits"}, b_clean="waits", **{"b_apgd-ce": "waits"})
    running: Iterator[Ended] = made.local(processes=processes).run(made.plan)
    counted: list[int] = []

    def let_go() -> None:
        made.wait_for_jobs(processes)
        time.sleep(0.2)
        counted.append(len(list(made.control.glob("*.pid"))))
        (made.control / "go").touch()

    thread = threading.Thread(target=let_go)
    thread.start()
    assert len(list(running)) == 4
    thread.join()
    assert counted == [processes]


def test_a_python_that_is_not_there_is_told(made: Made):
    """PYTHON in .env names no program: one line, and no traceback of ours."""
    local = Local(made.folder, "/no/such/python", {}, 1, 0)
    with pytest.raises(ConfigErrors, match="/no/such/python"):
        list(local.run(made.plan))
