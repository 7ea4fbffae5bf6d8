"""Jobs as HTCondor starts them: in an empty folder with the transferred files only, code from a zip."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch

from alignsec import digest
from alignsec.images import pack as image_pack
from alignsec.images.pack import Candidate
from alignsec.models import images
from alignsec.run import exit_code, outcome_file
from alignsec.run.outcome import Failure, Record
from alignsec.spec.attack import Attack
from alignsec.spec.pair import File, Pair, PairModel
from alignsec.spec.preprocessing import Preprocessing
from submit import code
from tests import tiny, tiny_networks


@dataclass
class JobFolder:
    """What was transferred to a job, and what it left."""

    folder: Path
    zip: Path
    pair: Pair
    start: Callable[["JobFolder", list[str]], int]
    arguments: list[str] = field(default_factory=list)

    @property
    def pair_file(self) -> Path:
        """The pair's file, under the name that a run folder gives it."""
        return self.folder / f"{self.pair.id}.json"

    def run(self, *more: str) -> int:
        """Run the job; its exit code."""
        return self.start(self, [self.pair_file.name, *self.arguments, *more])

    def cold(self, **environ: str) -> "subprocess.CompletedProcess[str]":
        """Run the job as a person would start it, with a bare environment."""
        return subprocess.run(
            [sys.executable, "-m", "jobs.evaluate", self.pair_file.name],
            cwd=self.folder,
            env={"PYTHONPATH": str(self.zip), "OMP_NUM_THREADS": "1", **environ},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    @property
    def outcome(self) -> Record | Failure:
        """What it left, read as anybody reads it."""
        return outcome_file.read(self.folder / "outcome.json")

    @property
    def record(self) -> Record:
        """The outcome, which is a record."""
        assert isinstance(self.outcome, Record), self.outcome
        return self.outcome

    @property
    def failure(self) -> Failure:
        """The outcome, which is a failure."""
        assert isinstance(self.outcome, Failure), self.outcome
        return self.outcome

    @property
    def said(self) -> str:
        """What it printed."""
        return (self.folder.parent / "out").read_text(encoding="utf-8")


def verdicts(record: Record) -> list[str]:
    return [budget.verdicts for budget in record.budgets]


def hopeless(made: JobFolder) -> str:
    """Run a job; the reason of its failure, which no other machine would mend."""
    assert made.run() == exit_code.HOPELESS
    assert made.failure.hopeless
    assert made.failure.id == made.pair.id
    assert made.failure.pair == made.pair
    assert "Traceback" in made.failure.traceback
    assert made.failure.provenance is not None
    return made.failure.reason


def try_again(made: JobFolder) -> str:
    """Run a job; the reason of its failure, which another machine may not have."""
    assert made.run() == exit_code.TRY_AGAIN
    assert not made.failure.hopeless
    assert made.failure.id == made.pair.id
    return made.failure.reason


@dataclass
class Staged:
    """The files of one tiny pair, made once."""

    folder: Path
    weights: Path
    pack: File

    def pair(
        self, weights: Path | None = None, pack: File | None = None, corrupted: File | None = None, **changes: Any
    ) -> Pair:
        """A pair of these files, or of others."""
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


@pytest.fixture(scope="session")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Staged:
    """Weights and eight images, of which the network gets six right."""
    folder = tmp_path_factory.mktemp("staged")
    network = tiny_networks.vit(seed=1)
    weights = tiny_networks.save(network, folder / "weights.safetensors")
    for number in range(8):
        tiny.write_image(folder / f"{number}.png", seed=number)
    unlabelled = [Candidate(f"{number}.png", 0, folder / f"{number}.png") for number in range(8)]
    pack = image_pack.write(unlabelled, folder)
    pixels = images.load_images(folder / pack.name, pack.sha256, Preprocessing(**tiny.GREY)).pixels[:]
    with torch.no_grad():
        predicted = network((pixels - 0.5) / 0.25).argmax(1).tolist()
    labels = [label if number < 6 else (label + 1) % 5 for number, label in enumerate(predicted)]
    pack = image_pack.write(
        [Candidate(one.name, label, one.path) for one, label in zip(unlabelled, labels, strict=True)], folder
    )
    return Staged(folder, weights, pack)


@pytest.fixture(scope="session")
def code_zip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The code as it travels with a run."""
    path = tmp_path_factory.mktemp("code") / "code.zip"
    path.write_bytes(code.archive())
    return path


@pytest.fixture(scope="session")
def warm() -> Iterator["subprocess.Popen[str]"]:
    """The process that forks jobs."""
    program = Path(__file__).with_name("warm_jobs.py")
    environ = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    with subprocess.Popen(
        [sys.executable, program], cwd="/", env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


@pytest.fixture
def job(tmp_path: Path, staged: Staged, code_zip: Path, warm: "subprocess.Popen[str]") -> Callable[..., JobFolder]:
    """Make a job's folder: the pair's file, its weights and its images, and nothing else."""

    def start(folder: JobFolder, arguments: list[str]) -> int:
        assert warm.stdin is not None
        assert warm.stdout is not None
        order = {"folder": str(folder.folder), "path": [str(folder.zip)], "arguments": arguments}
        warm.stdin.write(json.dumps(order) + "\n")
        warm.stdin.flush()
        return int(warm.stdout.readline())

    def make(pair: Pair | None = None) -> JobFolder:
        made = JobFolder(tmp_path / "scratch", code_zip, pair or staged.pair(), start)
        made.folder.mkdir()
        made.pair_file.write_text(made.pair.model_dump_json(), encoding="utf-8")
        packs = [pack.name for pack in (made.pair.images, made.pair.corrupted) if pack]
        for name in (made.pair.model.weights.name, *packs):
            if (staged.folder / name).exists():
                (made.folder / name).write_bytes((staged.folder / name).read_bytes())
        return made

    return make
