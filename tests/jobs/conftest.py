"""Fixtures of the job tests: staged files, the code zip, and a process that starts jobs quickly."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from alignsec.images import pack as image_pack
from alignsec.images.pack import Candidate
from alignsec.models import images
from alignsec.run.folder import RunFolder
from alignsec.run.pair_shard import shard_name, write_shards
from alignsec.spec.pair import Pair
from alignsec.spec.preprocessing import Preprocessing
from submit import code
from tests import tiny, tiny_networks
from tests.jobs.job_folders import Job, JobFolder, StagedFiles


@pytest.fixture(scope="session")
def staged(tmp_path_factory: pytest.TempPathFactory) -> StagedFiles:
    """Weights and eight images, six of which the network classifies correctly."""
    folder = tmp_path_factory.mktemp("staged")
    network = tiny_networks.vit(seed=1)
    weights = tiny_networks.save(network, folder / "weights.safetensors")
    for number in range(8):
        tiny.write_image(folder / f"{number}.png", seed=number)
    unlabelled = [Candidate(f"{number}.png", 0, folder / f"{number}.png") for number in range(8)]
    pack = image_pack.write_pack(unlabelled, folder)
    pixels = images.load_images(folder / pack.name, pack.sha256, Preprocessing(**tiny.GREY)).pixels[:]
    with torch.no_grad():
        predicted = network((pixels - 0.5) / 0.25).argmax(1).tolist()
    labels = [label if number < 6 else (label + 1) % 5 for number, label in enumerate(predicted)]
    pack = image_pack.write_pack(
        [Candidate(one.name, label, one.path) for one, label in zip(unlabelled, labels, strict=True)], folder
    )
    return StagedFiles(folder, weights, pack)


@pytest.fixture(scope="session")
def code_zip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The code zip that is submitted with a run."""
    path = tmp_path_factory.mktemp("code") / "code.zip"
    path.write_bytes(code.build_archive())
    return path


@pytest.fixture(scope="session")
def job_server() -> Iterator["subprocess.Popen[str]"]:
    """The process that forks jobs; see job_server.py."""
    program = Path(__file__).with_name("job_server.py")
    environ = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    with subprocess.Popen(
        [sys.executable, program], cwd="/", env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


@pytest.fixture
def job(tmp_path: Path, staged: StagedFiles, code_zip: Path, job_server: "subprocess.Popen[str]") -> Job:
    """A function that makes a job's folder with the pair's file, its weights and its images, and nothing else."""

    def start(folder: JobFolder, arguments: list[str]) -> int:
        assert job_server.stdin is not None
        assert job_server.stdout is not None
        request = {"folder": str(folder.folder), "path": [str(folder.zip)], "arguments": arguments}
        job_server.stdin.write(json.dumps(request) + "\n")
        job_server.stdin.flush()
        return int(job_server.stdout.readline())

    def make(pair: Pair | None = None) -> JobFolder:
        made = JobFolder(tmp_path / "scratch", code_zip, pair or staged.pair(), start)
        made.folder.mkdir()
        run = RunFolder(tmp_path / "run")
        run.pairs.mkdir(parents=True, exist_ok=True)
        write_shards([made.pair], run)
        run.pair_file(shard_name(0)).replace(made.pair_file)
        packs = [pack.name for pack in (made.pair.images, made.pair.corrupted) if pack]
        for name in (made.pair.model.weights.name, *packs):
            if (staged.folder / name).exists():
                (made.folder / name).write_bytes((staged.folder / name).read_bytes())
        return made

    return make
