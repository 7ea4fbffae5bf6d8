"""One seed's run: a tiny study in its own folder, submitted with the real command, and its verdicts."""

import os
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from alignsec.errors import ConfigErrors
from alignsec.run import exit_code, outcome_file
from alignsec.run.event_reader import EventReader, EventType
from alignsec.run.folder import RunFolder
from alignsec.run.outcome import Record
from alignsec.run.outcome_file import DamagedOutcomeError
from submit.monitor.run_status import RunMonitor, RunStatus
from submit.pool.pool import Pool
from tests.paths import CHECKOUT
from tests.pool.runs import TinyRun

ATTACKS = (
    'method = "apgd-ce"\nnorm = "Linf"\neps = ["2/255", "8/255"]\nsteps = 5\nbatch = 2',
    'method = "square"\nnorm = "Linf"\neps = ["2/255", "8/255"]\nqueries = 20',
    'method = "clean"',
)
"""A pair for each attack."""
LONG = ATTACKS[0].replace("steps = 5", "steps = 400")
"""An attack that takes long enough for checkpoints."""
SITE = {
    "MAX_JOBS": "100",
    "RETRIES": "1",
    "HELD_SECONDS": "8",
    "TRANSFER_RETRIES": "1",
    "CHECKPOINT_SECONDS": "3600",
    "REQUEST_MEMORY_MB": "256",
    "REQUEST_DISK_MB": "64",
}
"""Settings of the site, with short waiting times."""
CLIENT = Path(__file__).with_name("warm_client.py")
Verdicts = dict[str, tuple[object, ...]]
"""Labels and verdicts by pair id."""


def write_study(folder: Path, pool: Pool, *, long: bool = False) -> None:
    """Write the study, its images and its weights, which all seeds share."""
    attacks = (LONG, ATTACKS[-1]) if long else ATTACKS
    TinyRun(folder, pool, models=("one",), attacks=attacks).write_study()


@dataclass(frozen=True)
class SeedRun:
    """The run of one seed.

    Attributes:
        folder: The seed's folder: a copy of the study, and its run.
        pool: The pool.
        server: The socket of the warm Python.
    """

    folder: Path
    pool: Pool
    server: Path

    @classmethod
    def create(cls, study: Path, folder: Path, pool: Pool, server: Path, **site: object) -> "SeedRun":
        """Copy the study into a new folder, and write its site file.

        Args:
            study: The folder of `write_study`.
            folder: The new folder.
            pool: The pool.
            server: The socket of the warm Python.
            site: Keys of the site that replace those of SITE.
        """
        shutil.copytree(study, folder, symlinks=True)
        run = cls(folder, pool, server)
        folders = {"RUNS": folder / "runs", "WEIGHTS": folder / "weights", "IMAGES": folder / "packs"}
        keys = {**SITE, **folders, "PYTHON": run.python, **site}
        lines = (CHECKOUT / ".env").read_text(encoding="utf-8").splitlines()
        parts = (line.partition("=") for line in lines if line.strip() and not line.startswith("#"))
        keys = {**{name: value for name, _, value in parts}, **keys}
        text = [f"{name}={value}" for name, value in keys.items()]
        (folder / "site").write_text("\n".join(text) + "\n", encoding="utf-8")
        run.write_python()
        return run

    @property
    def run(self) -> RunFolder:
        """The run folder."""
        return RunFolder((self.folder / "runs" / "tiny").resolve())

    @property
    def python(self) -> Path:
        """The Python of the seed's jobs, a script."""
        return self.folder / "python"

    def write_python(self, before: str = ":", after: str = ":", *, whole: bool = True) -> None:
        """Write the Python of the jobs, which may run shell commands around the real job.

        Args:
            before: Shell commands before a pair's job starts.
            after: Shell commands after it, before its exit.
            whole: Whether FINAL runs the real analysis.
        """
        client = f'"{sys.executable}" -I -S "{CLIENT}" "{self.server}"'
        analysis = (
            ""
            if whole
            else f"""*aggregate*) shift 2
  PYTHONPATH="{CHECKOUT}" {client} -m benchmarks.faults.short_analysis "$@"
  exit ;;
"""
        )
        script = f"""#!/bin/sh
here="{self.folder}"
case "$*" in
{analysis}*jobs.evaluate*) {before} ;;
esac
{client} "$@"
code=$?
case "$*" in
*jobs.evaluate*) {after} ;;
esac
exit "$code"
"""
        temporary = self.folder / ".python"
        temporary.write_text(script, encoding="utf-8")
        temporary.chmod(0o755)
        temporary.replace(self.python)

    def submit(self, *, local: bool = False) -> "subprocess.Popen[bytes]":
        """Start `python -m submit`, as `make submit` or `make local` does. Its output goes to a file.

        The local command is a process of its own, because faults send signals to it.
        """
        warm = [] if local else ["-I", "-S", str(CLIENT), str(self.server)]
        study = [str(self.folder / "tiny.toml"), "--env", str(self.folder / "site")]
        command = [sys.executable, *warm, "-m", "submit", *study, *(["--local", "-j", "2"] if local else [])]
        base = {"PYTHONPATH": str(CHECKOUT), "HOME": str(self.folder), "OMP_NUM_THREADS": "1"}
        environment = {**base, **self.pool.environment(os.defpath)}
        with self.submit_output.open("wb") as output:
            return subprocess.Popen(
                command,
                cwd=CHECKOUT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def submit_output(self) -> Path:
        """What the last command printed."""
        return self.folder / "submit.out"

    def read_status(self) -> RunStatus | None:
        """Return the run's status; None if there is no run, or its plan is damaged."""
        try:
            return RunMonitor(self.run).read()
        except (ConfigErrors, OSError):
            return None

    def read_status_error(self) -> str:
        """Return why the status cannot be read; empty if it can."""
        try:
            RunMonitor(self.run).read()
        except (ConfigErrors, OSError) as error:
            return str(error)
        return ""

    def read_verdicts(self) -> Verdicts:
        """Return the labels and verdicts of every pair that has a valid record."""
        found: Verdicts = {}
        for path in self.run.outcomes.glob("*.json") if self.run.outcomes.is_dir() else ():
            try:
                outcome = outcome_file.read(path)
            except (DamagedOutcomeError, OSError):
                continue
            if isinstance(outcome, Record) and outcome.id == path.stem:
                verdicts = tuple(
                    (str(one.eps), one.verdicts, tuple(one.broken_at_step or ())) for one in outcome.budgets
                )
                found[path.stem] = (tuple(outcome.images), tuple(outcome.labels), verdicts)
        return found

    def count_successes(self) -> Counter[str]:
        """Return how many times a job of each pair ran and ended with exit code 0 in this submission.

        The events are read: the history of a node has its last job only. If the schedd is killed, HTCondor can log
        the end of one execution twice.
        """
        nodes: dict[str, str] = {}
        executing: set[str] = set()
        done: Counter[str] = Counter()
        for event in EventReader(self.run.events).read_new():
            if event.type == EventType.SUBMIT:
                nodes[event.job] = event.fields.get("Node") or event.fields.get("NodeName") or ""
            elif event.type == EventType.EXECUTE:
                executing.add(event.job)
            elif event.type == EventType.JOB_TERMINATED:
                ok = event.fields.get("ReturnValue") == str(exit_code.DONE)
                done[nodes.get(event.job, "")] += ok and event.job in executing
                executing.discard(event.job)
        return done
