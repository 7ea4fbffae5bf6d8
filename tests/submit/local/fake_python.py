"""A fake of the Python that runs jobs: it succeeds at once, dies, waits or fails as instructed."""

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from alignsec.run import outcome_file
from alignsec.run.folder import RunFolder
from alignsec.run.outcome import Failure, Record
from alignsec.run.plan import Plan
from submit import layout
from submit.local import LocalRun
from submit.validation import ValidatedStudy
from tests import tiny

FAKE_PYTHON = """#!{python} -S
import json, os, pathlib, shutil, signal, sys, time
control = pathlib.Path({control!r})
pair = pathlib.Path(sys.argv[-1]).stem
with (control / "started").open("a") as file:
    file.write(pair + "\\n")
print("progress: 2/4 images, 10.0 passes/s, at most 3 s left (step 1 of 2)", flush=True)
print("environ", json.dumps(sorted(os.environ)), *sorted(os.listdir(".")), flush=True)
behaviour = json.loads((control / "behaviour.json").read_text()).get(pair, "ok")
times = (control / "started").read_text().split().count(pair)
if behaviour == "second time" and times == 1 or behaviour == "try again":
    shutil.copy(control / (pair + ".failed"), "outcome.json")
    sys.exit(75)
if behaviour == "hopeless":
    shutil.copy(control / (pair + ".failed"), "outcome.json")
    sys.exit(65)
if behaviour == "killed":
    pathlib.Path("outcome.json").touch()
    os.kill(os.getpid(), signal.SIGKILL)
if behaviour == "waits":
    import subprocess
    subprocess.Popen(["sleep", "600"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    (control / (pair + ".pid")).write_text(str(os.getpid()))
    pathlib.Path("outcome.json").write_text("half")
    while not (control / "go").exists():
        time.sleep(0.02)
if behaviour == "silent":
    sys.exit(3)
shutil.copy(control / (pair + ".ok"), "aside")
os.replace("aside", "outcome.json")
"""


@dataclass
class FakePythonRun:
    """A run folder whose jobs are run by the fake Python."""

    folder: RunFolder
    plan: Plan
    control: Path
    """Folder through which a test and the fake Python communicate."""
    python: Path

    @classmethod
    def create(cls, validated: ValidatedStudy, folder: Path) -> "FakePythonRun":
        """Write the run folder and the fake Python below a folder."""
        run = RunFolder(folder / "run")
        plan = layout.write_run_folder(validated, run)
        control = folder / "control"
        control.mkdir()
        python = folder / "fake python"
        python.write_text(FAKE_PYTHON.format(python=sys.executable, control=str(control)))
        python.chmod(0o755)
        for pair in plan:
            record = tiny.record(pair, ["RRRW"] * len(pair.attack.budgets))
            (control / f"{pair.id}.ok").write_bytes(outcome_file.dump(record))
            (control / f"{pair.id}.failed").write_bytes(outcome_file.dump(tiny.failure(pair)))
        created = cls(run, plan, control, python)
        created.set_behaviour()
        return created

    def local(self, processes: int = 2, retries: int = 1) -> LocalRun:
        """Return the object that runs the pairs."""
        return LocalRun(self.folder, str(self.python), {"PATH": "/usr/bin:/bin"}, processes, retries)

    def set_behaviour(self, **by_model_and_attack: str) -> None:
        """Set the behaviour for pairs named model_attack; all other pairs succeed."""
        behaviour = {self.id(*name.split("_")): what for name, what in by_model_and_attack.items()}
        (self.control / "behaviour.json").write_text(json.dumps(behaviour))

    def id(self, model: str, attack: str) -> str:
        """Return the id of the pair of a model and an attack method."""
        return next(p.id for p in self.plan if (p.model.name, p.attack.method) == (model, attack))

    def run(self, retries: int = 1) -> dict[str, int]:
        """Run all pairs that are not ok; return the exit code of each."""
        return {ended.id: ended.code for ended in self.local(retries=retries).run(self.plan)}

    @property
    def started(self) -> list[str]:
        """The pair of each job that was started."""
        path = self.control / "started"
        return path.read_text().split() if path.exists() else []

    def outcome(self, pair_id: str) -> Record | Failure:
        """Return the outcome of a pair."""
        return outcome_file.read(self.folder.outcome(pair_id))

    def wait_for_jobs(self, count: int) -> list[int]:
        """Wait until `count` jobs wait; return their process ids."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            pids = [path.read_text() for path in self.control.glob("*.pid")]
            if len(pids) >= count and all(pids):
                return [int(pid) for pid in pids]
            time.sleep(0.02)
        raise AssertionError("the jobs did not start")
