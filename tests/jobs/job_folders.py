"""Folders of jobs as HTCondor prepares them: only the transferred files, and the code as a zip."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from alignsec import digest
from alignsec.run import exit_code, outcome_file
from alignsec.run.outcome import Failure, Record
from alignsec.run.pair_shard import shard_name
from alignsec.spec.attack import Attack
from alignsec.spec.pair import File, Pair, PairModel
from alignsec.spec.preprocessing import Preprocessing
from tests import tiny


@dataclass
class JobFolder:
    """The folder of one job, with the transferred files and what the job writes."""

    folder: Path
    zip: Path
    pair: Pair
    start: Callable[["JobFolder", list[str]], int]
    """Runs the job with arguments and returns its exit code."""
    arguments: list[str] = field(default_factory=list)

    @property
    def pair_file(self) -> Path:
        """The file with the pair, under the name that a run folder gives it."""
        return self.folder / f"{shard_name(0)}.json"

    def run(self, *more: str) -> int:
        """Run the job and return its exit code."""
        return self.start(self, [self.pair_file.name, "--pair", self.pair.id, *self.arguments, *more])

    def run_in_new_process(self, **environ: str) -> "subprocess.CompletedProcess[str]":
        """Run the job in a new Python process with hardly any environment variables."""
        return subprocess.run(
            [sys.executable, "-m", "jobs.evaluate", self.pair_file.name, "--pair", self.pair.id],
            cwd=self.folder,
            env={"PYTHONPATH": str(self.zip), "OMP_NUM_THREADS": "1", **environ},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    @property
    def outcome(self) -> Record | Failure:
        """The outcome file's content."""
        return outcome_file.read(self.folder / "outcome.json")

    @property
    def record(self) -> Record:
        """The outcome, which must be a record."""
        assert isinstance(self.outcome, Record), self.outcome
        return self.outcome

    @property
    def failure(self) -> Failure:
        """The outcome, which must be a failure."""
        assert isinstance(self.outcome, Failure), self.outcome
        return self.outcome

    @property
    def output(self) -> str:
        """The job's standard output."""
        return (self.folder.parent / "out").read_text(encoding="utf-8")


Job = Callable[..., JobFolder]
"""The fixture `job`: makes the folder of a job for a pair."""


def verdicts(record: Record) -> list[str]:
    """Return the verdicts of each budget."""
    return [budget.verdicts for budget in record.budgets]


def run_permanent_failure(job: JobFolder) -> str:
    """Run a job that fails for a reason that a retry cannot change, and return the reason."""
    assert job.run() == exit_code.PERMANENT_FAILURE
    assert job.failure.hopeless
    assert job.failure.id == job.pair.id
    assert job.failure.pair == job.pair
    assert "Traceback" in job.failure.traceback
    assert job.failure.provenance is not None
    return job.failure.reason


def run_temporary_failure(job: JobFolder) -> str:
    """Run a job that fails for a reason that another machine may not have, and return the reason."""
    assert job.run() == exit_code.TEMPORARY_FAILURE
    assert not job.failure.hopeless
    assert job.failure.id == job.pair.id
    return job.failure.reason


@dataclass
class StagedFiles:
    """The weights and images of one tiny pair."""

    folder: Path
    weights: Path
    pack: File

    def pair(
        self, weights: Path | None = None, pack: File | None = None, corrupted: File | None = None, **changes: Any
    ) -> Pair:
        """Return a pair of these files or of others, with changed fields of its attack."""
        weights = weights or self.weights
        fields = {"method": "apgd-ce", "norm": "Linf", "eps": ["1/255", "0.1"], "steps": 5, "batch": 4, **changes}
        return Pair(
            model=PairModel(
                name="tiny",
                source=tiny.SOURCE,
                options=tiny.OPTIONS,
                weights=File(name=weights.name, sha256=digest.sha256_of_file(weights)),
                preprocessing=Preprocessing(**tiny.GREY),
            ),
            attack=Attack.model_validate(fields),
            images=pack or self.pack,
            corrupted=corrupted,
            seed=0,
        )
