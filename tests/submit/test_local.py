"""Running pairs here: with a stand-in for the job's Python that answers at once, dies, waits or fails as told."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from alignsec import exit_code, outcome_file
from alignsec.mistake import Mistakes
from alignsec.outcome import Failure, Record
from alignsec.progress import Progress
from alignsec.run_folder import Plan, RunFolder
from submit import layout, lock
from submit.layout import Checked
from submit.local import Ended, Local
from tests import tiny

STAND_IN = """#!{python} -S
import json, os, pathlib, shutil, signal, sys, time
control = pathlib.Path({control!r})
pair = pathlib.Path(sys.argv[-1]).stem
with (control / "started").open("a") as file:
    file.write(pair + "\\n")
print("progress: 2/4 images, 10.0 passes/s, at most 3 s left (step 1 of 2)", flush=True)
print("environ", json.dumps(sorted(os.environ)), *sorted(os.listdir(".")), flush=True)
does = json.loads((control / "does.json").read_text()).get(pair, "ok")
times = (control / "started").read_text().split().count(pair)
if does == "second time" and times == 1 or does == "try again":
    shutil.copy(control / (pair + ".failed"), "outcome.json")
    sys.exit(75)
if does == "hopeless":
    shutil.copy(control / (pair + ".failed"), "outcome.json")
    sys.exit(65)
if does == "killed":
    pathlib.Path("outcome.json").touch()
    os.kill(os.getpid(), signal.SIGKILL)
if does == "waits":
    (control / (pair + ".pid")).write_text(str(os.getpid()))
    pathlib.Path("outcome.json").write_text("half")
    while not (control / "go").exists():
        time.sleep(0.02)
if does == "silent":
    sys.exit(3)
shutil.copy(control / (pair + ".ok"), "aside")
os.replace("aside", "outcome.json")
"""


@dataclass
class Made:
    """A run folder, and a stand-in for Python."""

    folder: RunFolder
    plan: Plan
    control: Path
    python: Path

    def local(self, processes: int = 2, retries: int = 1) -> Local:
        """What runs the pairs."""
        return Local(self.folder, str(self.python), {"PATH": "/usr/bin:/bin"}, processes, retries)

    def does(self, **by_model_and_attack: str) -> None:
        """What the stand-in does for a pair, told as model_attack; all else it answers."""
        told = {self.id(*name.split("_")): what for name, what in by_model_and_attack.items()}
        (self.control / "does.json").write_text(json.dumps(told))

    def id(self, model: str, attack: str) -> str:
        """The pair of a model and a method."""
        return next(p.id for p in self.plan if (p.model.name, p.attack.method) == (model, attack))

    def run(self, retries: int = 1) -> dict[str, int]:
        """Run all pairs that are not ok; the exit code of each."""
        return {ended.id: ended.code for ended in self.local(retries=retries).run(self.plan)}

    @property
    def started(self) -> list[str]:
        """The pairs that were started, as often as they were."""
        path = self.control / "started"
        return path.read_text().split() if path.exists() else []

    def outcome(self, pair_id: str) -> Record | Failure:
        """What came of a pair."""
        return outcome_file.read(self.folder.outcome(pair_id))

    def wait_for_jobs(self, count: int) -> list[int]:
        """The process ids of the jobs that wait, once there are so many."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            pids = [path.read_text() for path in self.control.glob("*.pid")]
            if len(pids) >= count and all(pids):
                return [int(pid) for pid in pids]
            time.sleep(0.02)
        raise AssertionError("the jobs did not start")


@pytest.fixture
def made(checked: Checked, tmp_path: Path) -> Made:
    """Two models under two attacks, laid out, nothing run."""
    folder = RunFolder(tmp_path / "run")
    plan = layout.write(checked, folder)
    control = tmp_path / "control"
    control.mkdir()
    python = tmp_path / "python stand-in"
    python.write_text(STAND_IN.format(python=sys.executable, control=str(control)))
    python.chmod(0o755)
    for pair in plan:
        record = tiny.record(pair, ["RRRW"] * len(pair.attack.budgets))
        (control / f"{pair.id}.ok").write_bytes(outcome_file.dump(record))
        (control / f"{pair.id}.failed").write_bytes(outcome_file.dump(tiny.failure(pair)))
    new = Made(folder, plan, control, python)
    new.does()
    return new


def gone(pid: int) -> bool:
    """Whether a process has ended; one that nobody has waited for yet counts as ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


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
    for variable in ("PYTHONPATH", "HOME", "OMP_NUM_THREADS", "PATH"):
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

    with _thread(let_go):
        assert len(list(running)) == 4
    assert counted == [processes]


def _thread(function: Callable[[], None]) -> "_Thread":
    return _Thread(function)


class _Thread:
    def __init__(self, function: Callable[[], None]) -> None:
        import threading  # noqa: PLC0415

        self.thread = threading.Thread(target=function)

    def __enter__(self) -> None:
        self.thread.start()

    def __exit__(self, *_: object) -> None:
        self.thread.join()


def test_a_folder_is_held_by_one_at_a_time(made: Made):
    """The second is refused by name; once the first has let go, another may."""
    refused = pytest.raises(Mistakes, match="is being written or run by another process")
    with lock.held(made.folder.lock), refused, lock.held(made.folder.lock):
        raise AssertionError("two hold the folder")
    with lock.held(made.folder.lock):
        pass


def test_stopping_in_the_middle_loses_nothing(made: Made):
    """As Ctrl-C does: what is finished stays, what runs is ended, nothing half-written is left."""
    made.does(b_clean="waits", **{"b_apgd-ce": "waits"})
    run = made.local(processes=2).run(made.plan)
    done = {next(run).id, next(run).id}
    pids = made.wait_for_jobs(2)
    run.close()  # type: ignore[attr-defined] # it is a generator
    assert all(gone(pid) for pid in pids)
    assert {path.stem for path in made.folder.outcomes.iterdir()} == done
    (made.control / "go").touch()
    assert set(made.run()) == {pair.id for pair in made.plan} - done


def test_a_python_that_is_not_there_is_told(made: Made):
    """PYTHON in .env names no program: one line, and no traceback of ours."""
    local = Local(made.folder, "/no/such/python", {}, 1, 0)
    with pytest.raises(Mistakes, match="/no/such/python"):
        list(local.run(made.plan))


PROGRAM = """
import sys
from pathlib import Path
from rich.console import Console
from alignsec.run_folder import Plan, RunFolder
from submit import local
from submit.site import Site

folder = RunFolder(Path(sys.argv[1]))
site = Site.read(Path(sys.argv[2]))
try:
    sys.exit(local.study(Console(), site, Plan.read(folder), folder, {}))
except KeyboardInterrupt:
    sys.exit(130)
"""


def test_ctrl_c_ends_every_job_and_the_next_call_finishes(
    made: Made, house: Path, env_file: Callable[..., Path], tmp_path: Path
):
    """A real SIGINT to the process that runs the pairs: exit 130, no orphans, nothing half-written."""
    made.does(b_clean="waits", **{"b_apgd-ce": "waits"})
    env = env_file(python=str(made.python), local_jobs="2", retries="0")
    command = [sys.executable, "-c", PROGRAM, str(made.folder.root), str(env), str(house)]
    with subprocess.Popen(command, cwd=house, stdout=subprocess.PIPE, text=True) as process:
        pids = made.wait_for_jobs(2)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=30)
    assert process.returncode == 130, said
    assert all(gone(pid) for pid in pids)
    left = {path.name for path in made.folder.outcomes.iterdir()}
    assert left == {f"{made.id('a', method)}.json" for method in ("clean", "apgd-ce")}
    assert all(isinstance(outcome_file.read(made.folder.outcomes / name), Record) for name in left)
    (made.control / "go").touch()
    done = subprocess.run(command, cwd=house, capture_output=True, text=True, timeout=60, check=False)
    assert f"{made.id('b', 'clean')}: ok" in done.stdout
    assert made.started.count(made.id("a", "clean")) == 1
    assert len(list(made.folder.outcomes.iterdir())) == 4


def test_a_full_disk_ends_in_a_message(made: Made, monkeypatch: pytest.MonkeyPatch):
    """The outcomes that are there stay; the run says why it cannot go on."""

    def full(path: Path, what: object) -> None:
        raise OSError(28, "No space left on device", str(path))

    made.does(b_clean="killed")
    monkeypatch.setattr(outcome_file, "write", full)
    with pytest.raises((OSError, Mistakes), match="No space left"):
        list(made.local(processes=1, retries=0).run(made.plan))
    assert made.folder.outcome(made.id("a", "clean")).exists()
