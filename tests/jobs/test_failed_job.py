"""Jobs that fail: they write a failure, and their exit code says whether a retry can help."""

import math
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import torch

from alignsec import digest
from alignsec.run import exit_code
from alignsec.spec.pair import File
from tests import tiny, tiny_networks
from tests.jobs.job_folders import Job, StagedFiles, run_permanent_failure, run_temporary_failure
from tests.tiny import LabelledImage


def write_unchecked_pack(staged: StagedFiles, images: list[LabelledImage]) -> File:
    """Write a pack that a submission would reject, with a correct digest."""
    data = tiny.unchecked_pack(images)
    pack = File(name=f"images-{digest.sha256_of_bytes(data)[:8]}.tar", sha256=digest.sha256_of_bytes(data))
    (staged.folder / pack.name).write_bytes(data)
    return pack


def test_undecodable_image(job: Job, staged: StagedFiles):
    good = (staged.folder / "0.png").read_bytes()
    pack = write_unchecked_pack(
        staged, [LabelledImage("0.png", 0, good), LabelledImage("half.png", 0, good[:100])]
    )
    assert run_permanent_failure(job(staged.pair(pack=pack))).startswith("ImageError: half.png cannot be decoded")


def test_label_outside_classes(job: Job, staged: StagedFiles):
    pack = write_unchecked_pack(staged, [LabelledImage("0.png", 5, (staged.folder / "0.png").read_bytes())])
    assert (
        run_permanent_failure(job(staged.pair(pack=pack)))
        == "ModelError: label 5 is outside the model's 5 classes"
    )


def test_weights_with_other_keys(job: Job, staged: StagedFiles):
    state = tiny_networks.vit().state_dict()
    state["extra"] = state.pop("cls_token")
    torch.save(state, staged.folder / "other-keys.pt")
    reason = run_permanent_failure(job(staged.pair(weights=staged.folder / "other-keys.pt")))
    assert reason.startswith(
        "ModelError: tiny: vit_tiny_patch16_224 cannot be built: ValueError: other-keys.pt does not"
    )
    assert "1 missing keys (cls_token)" in reason
    assert "1 unexpected keys (extra)" in reason


def test_weights_with_nan(job: Job, staged: StagedFiles):
    network = tiny_networks.vit()
    with torch.no_grad():
        network.get_parameter("head.bias")[2] = math.nan
    weights = tiny_networks.save(network, staged.folder / "nan.safetensors")
    assert "logits of 4 of 4 images are not finite" in run_permanent_failure(job(staged.pair(weights=weights)))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"model": 1}', "\x00"])
def test_invalid_pair_file(job: Job, text: str):
    """The failure's id is that of the job's arguments."""
    made = job()
    made.pair_file.write_text(text)
    assert made.run() == exit_code.PERMANENT_FAILURE
    assert (made.failure.id, made.failure.pair, made.failure.hopeless) == (made.pair.id, None, True)
    assert made.failure.reason.startswith(f"PairFileError: {made.pair_file.name}: invalid file of pairs")


@pytest.mark.parametrize("kind", ["weights", "images"])
def test_truncated_file(job: Job, kind: str):
    made = job()
    path = made.folder / (made.pair.images.name if kind == "images" else made.pair.model.weights.name)
    path.write_bytes(path.read_bytes()[:-100])
    assert "or changed" in run_temporary_failure(made)


@pytest.mark.parametrize("kind", ["weights", "images"])
def test_missing_file(job: Job, kind: str):
    made = job()
    path = made.folder / (made.pair.images.name if kind == "images" else made.pair.model.weights.name)
    path.unlink()
    reason = run_temporary_failure(made)
    assert reason.startswith("FileNotFoundError")
    assert path.name in reason


def test_out_of_memory(job: Job, staged: StagedFiles):
    """A model too large for this machine may fit on another. torch's CPU allocator raises a RuntimeError."""
    pair = staged.pair()
    model = pair.model.model_copy(update={"options": {**tiny.OPTIONS, "num_classes": 2**50}})
    assert "DefaultCPUAllocator: can't allocate memory" in run_temporary_failure(
        job(pair.model_copy(update={"model": model}))
    )


def test_missing_pair_file(job: Job):
    made = job()
    made.pair_file.unlink()
    assert made.run() == exit_code.TEMPORARY_FAILURE
    assert (made.failure.id, made.failure.pair) == (made.pair.id, None)


def test_file_name_that_is_not_utf8(job: Job):
    """The failure's id contains the name with the invalid bytes escaped."""
    made = job()
    assert made.start(made, [os.fsdecode(b"caf\xe9.json")]) == exit_code.TEMPORARY_FAILURE
    assert made.failure.id == "caf\\udce9"


def test_torch_cannot_be_imported(job: Job, tmp_path: Path):
    """With a broken container or driver the failure is recorded too."""
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "torch.py").write_text("raise ImportError('libcuda.so.1: no such file')\n")
    made = job()
    done = made.run_in_new_process(PYTHONPATH=f"{tmp_path / 'broken'}:{made.zip}")
    assert done.returncode == exit_code.TEMPORARY_FAILURE, done.stderr
    assert made.failure.reason == "ImportError: libcuda.so.1: no such file"
    assert made.failure.provenance is not None
    assert made.failure.provenance.device


def test_read_only_folder(job: Job):
    if os.geteuid() == 0:
        pytest.skip("root can write everywhere")
    made = job()
    made.folder.chmod(0o500)
    code = made.run()
    made.folder.chmod(0o700)
    assert code == exit_code.TEMPORARY_FAILURE


def test_full_disk_leaves_empty_outcome(job: Job, small_disk: list[str], tmp_path: Path):
    """On a real file system of 64 kB that is completely full, the job exits with 75 and the outcome is empty."""
    made = job()
    disk = tmp_path / "disk"
    disk.mkdir()
    script = (
        'cd "$1"; ln -s "$2"/* .; : > outcome.json; head -c 65536 /dev/zero > filler 2>/dev/null; '
        'shift 2; "$@"; code=$?; wc -c outcome.json; ls -A; exit $code'
    )
    command = [*small_disk, str(disk), "sh", "-c", script, "sh", str(disk), str(made.folder)]
    done = subprocess.run(
        [*command, sys.executable, "-m", "jobs.evaluate", made.pair_file.name, "--pair", made.pair.id],
        env={**os.environ, "PYTHONPATH": str(made.zip)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == exit_code.TEMPORARY_FAILURE, done.stderr
    assert "outcome.json: cannot be written" in done.stderr
    assert "No space left on device" in done.stderr
    assert "0 outcome.json" in done.stdout
    left = set(done.stdout.split("outcome.json\n", 1)[1].split())
    assert left == {path.name for path in made.folder.iterdir()} | {"filler", "outcome.json", "examples.bin"}


def test_unknown_argument(job: Job):
    made = job()
    assert made.start(made, ["--no-such-option", "x.json"]) == 2


def test_pack_cannot_write_outside_folder(job: Job, staged: StagedFiles):
    """Images are read from the archive and never unpacked, so a path in a name has no effect."""
    good = (staged.folder / "0.png").read_bytes()
    made = job(staged.pair(pack=write_unchecked_pack(staged, [LabelledImage("../../escaped.png", 0, good)])))
    made.run()
    assert not list(made.folder.parent.rglob("escaped.png"))
    with tarfile.open(made.folder / made.pair.images.name) as archive:
        assert "images/../../escaped.png" in archive.getnames()
