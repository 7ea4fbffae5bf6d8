"""Runs on this machine that are interrupted by Ctrl-C, by a full disk, or by another process."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from alignsec.errors import ConfigErrors
from alignsec.run import outcome_file
from alignsec.run.outcome import Record
from submit import lock
from tests.paths import CHECKOUT
from tests.submit.local.fake_python import FakePythonRun


def gone(pid: int) -> bool:
    """Return whether a process has ended; a zombie counts as ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_only_one_process_holds_a_folder(prepared: FakePythonRun):
    """A second process is refused. After the first has released the lock, another may hold it."""
    refused = pytest.raises(ConfigErrors, match="is in use by another process")
    with lock.hold(prepared.folder.lock), refused, lock.hold(prepared.folder.lock):
        raise AssertionError("both hold the lock")
    with lock.hold(prepared.folder.lock):
        pass


def test_stopping_keeps_finished_pairs(prepared: FakePythonRun):
    """As after Ctrl-C: outcomes are kept, running jobs are killed, and no partial outcome is left."""
    prepared.set_behaviour(b_clean="waits", **{"b_apgd-ce": "waits"})
    run = prepared.local(processes=2).run(prepared.plan)
    done = {next(run).id, next(run).id}
    pids = prepared.wait_for_jobs(2)
    run.close()  # type: ignore[attr-defined] # it is a generator
    assert all(gone(pid) for pid in pids)
    assert {path.stem for path in prepared.folder.outcomes.iterdir()} == done
    (prepared.control / "go").touch()
    assert set(prepared.run()) == {pair.id for pair in prepared.plan} - done


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
    sys.exit(local.run_locally(Console(), site, Plan.read(folder), folder, {}))
except KeyboardInterrupt:
    sys.exit(130)
"""


def test_ctrl_c_ends_every_job_and_the_next_call_finishes(
    prepared: FakePythonRun, env_file: Callable[..., Path], tmp_path: Path
):
    """SIGINT to the process that runs the pairs: exit code 130, no orphans, no partial outcomes."""
    prepared.set_behaviour(b_clean="waits", **{"b_apgd-ce": "waits"})
    env = env_file(python=str(prepared.python), local_jobs="2", retries="0")
    command = [sys.executable, "-c", PROGRAM, str(prepared.folder.root), str(env)]
    with subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as process:
        pids = prepared.wait_for_jobs(2)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=30)
    assert process.returncode == 130, output
    assert all(gone(pid) for pid in pids)
    left = {path.name for path in prepared.folder.outcomes.iterdir()}
    assert left == {f"{prepared.id('a', method)}.json" for method in ("clean", "apgd-ce")}
    assert all(isinstance(outcome_file.read(prepared.folder.outcomes / name), Record) for name in left)
    (prepared.control / "go").touch()
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=300, check=False)
    assert f"{prepared.id('b', 'clean')}: ok" in done.stdout
    assert prepared.started.count(prepared.id("a", "clean")) == 1
    assert len(list(prepared.folder.outcomes.iterdir())) == 4


@pytest.mark.parametrize("ending", [signal.SIGHUP, signal.SIGTERM, signal.SIGKILL])
def test_no_signal_leaves_a_job_running(
    prepared: FakePythonRun, env_file: Callable[..., Path], ending: signal.Signals
):
    """The process ends at once, and the end of its pipe ends its jobs and their children."""
    prepared.set_behaviour(b_clean="waits", **{"b_apgd-ce": "waits"})
    env = env_file(python=str(prepared.python), local_jobs="2", retries="0")
    command = [sys.executable, "-c", PROGRAM, str(prepared.folder.root), str(env)]
    with subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as process:
        pids = prepared.wait_for_jobs(2)
        children = {
            int(one) for pid in pids for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        }
        process.send_signal(ending)
        try:
            process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == -ending
    deadline = time.monotonic() + 20
    while not all(gone(pid) for pid in {*pids, *children}) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert children
    assert all(gone(pid) for pid in {*pids, *children})
    (prepared.control / "go").touch()
    assert set(prepared.run()) == {prepared.id("b", "clean"), prepared.id("b", "apgd-ce")}


def test_a_full_disk_ends_in_a_message(prepared: FakePythonRun, monkeypatch: pytest.MonkeyPatch):
    """Existing outcomes are kept, and the error names the disk."""

    def full(path: Path, what: object) -> None:
        raise OSError(28, "No space left on device", str(path))

    prepared.set_behaviour(b_clean="killed")
    monkeypatch.setattr(outcome_file, "write", full)
    with pytest.raises((OSError, ConfigErrors), match="No space left"):
        list(prepared.local(processes=1, retries=0).run(prepared.plan))
    assert prepared.folder.outcome(prepared.id("a", "clean")).exists()
