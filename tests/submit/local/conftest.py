"""A stand-in for the job's Python that answers at once, dies, waits or fails as told."""

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from alignsec.run import outcome_file
from alignsec.run.folder import RunFolder
from alignsec.run.outcome import Failure, Record
from alignsec.run.plan import Plan
from submit import layout
from submit.local import Local
from submit.validation import ValidatedStudy
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
def made(checked: ValidatedStudy, tmp_path: Path) -> Made:
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
