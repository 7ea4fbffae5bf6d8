"""Running pairs here, ended in the middle: by a person, by a full disk, by another who runs them."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from alignsec.errors import ConfigErrors
from alignsec.run import outcome_file
from alignsec.run.outcome import Record
from submit import lock
from tests.submit.local.conftest import Made


def gone(pid: int) -> bool:
    """Whether a process has ended; one that nobody has waited for yet counts as ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_a_folder_is_held_by_one_at_a_time(made: Made):
    """The second is refused by name; once the first has let go, another may."""
    refused = pytest.raises(ConfigErrors, match="is being written or run by another process")
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


PROGRAM = """
import sys
from pathlib import Path
from rich.console import Console
from alignsec.run.folder import RunFolder
from alignsec.run.plan import Plan
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
    made: Made, checkout: Path, env_file: Callable[..., Path], tmp_path: Path
):
    """A real SIGINT to the process that runs the pairs: exit 130, no orphans, nothing half-written."""
    made.does(b_clean="waits", **{"b_apgd-ce": "waits"})
    env = env_file(python=str(made.python), local_jobs="2", retries="0")
    command = [sys.executable, "-c", PROGRAM, str(made.folder.root), str(env), str(checkout)]
    with subprocess.Popen(command, cwd=checkout, stdout=subprocess.PIPE, text=True) as process:
        pids = made.wait_for_jobs(2)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=30)
    assert process.returncode == 130, said
    assert all(gone(pid) for pid in pids)
    left = {path.name for path in made.folder.outcomes.iterdir()}
    assert left == {f"{made.id('a', method)}.json" for method in ("clean", "apgd-ce")}
    assert all(isinstance(outcome_file.read(made.folder.outcomes / name), Record) for name in left)
    (made.control / "go").touch()
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, timeout=60, check=False)
    assert f"{made.id('b', 'clean')}: ok" in done.stdout
    assert made.started.count(made.id("a", "clean")) == 1
    assert len(list(made.folder.outcomes.iterdir())) == 4


def test_a_full_disk_ends_in_a_message(made: Made, monkeypatch: pytest.MonkeyPatch):
    """The outcomes that are there stay; the run says why it cannot go on."""

    def full(path: Path, what: object) -> None:
        raise OSError(28, "No space left on device", str(path))

    made.does(b_clean="killed")
    monkeypatch.setattr(outcome_file, "write", full)
    with pytest.raises((OSError, ConfigErrors), match="No space left"):
        list(made.local(processes=1, retries=0).run(made.plan))
    assert made.folder.outcome(made.id("a", "clean")).exists()
