"""Jobs that cannot answer: they leave a failure, and their exit code tells whether another try may help."""

import math
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from alignsec import digest
from alignsec.images.pack import LabelledImage
from alignsec.run import exit_code
from alignsec.spec.pair import File
from tests import tiny, tiny_networks
from tests.jobs.conftest import JobFolder, Staged, hopeless, try_again

Job = Callable[..., JobFolder]


def with_pack(staged: Staged, images: list[LabelledImage]) -> File:
    """A pack that no submission would have written, with a digest that fits."""
    data = tiny.unchecked_pack(images)
    pack = File(name=f"images-{digest.sha256_of_bytes(data)[:8]}.tar", sha256=digest.sha256_of_bytes(data))
    (staged.folder / pack.name).write_bytes(data)
    return pack


def test_an_image_that_cannot_be_read(job: Job, staged: Staged):
    good = (staged.folder / "0.png").read_bytes()
    pack = with_pack(staged, [LabelledImage("0.png", 0, good), LabelledImage("half.png", 0, good[:100])])
    assert hopeless(job(staged.pair(pack=pack))).startswith("ImageError: half.png cannot be decoded")


def test_labels_outside_the_classes(job: Job, staged: Staged):
    pack = with_pack(staged, [LabelledImage("0.png", 5, (staged.folder / "0.png").read_bytes())])
    assert hopeless(job(staged.pair(pack=pack))) == "ModelError: label 5 is outside the model's 5 classes"


def test_a_checkpoint_with_other_keys(job: Job, staged: Staged):
    state = tiny_networks.vit().state_dict()
    state["extra"] = state.pop("cls_token")
    torch.save(state, staged.folder / "other-keys.pt")
    reason = hopeless(job(staged.pair(weights=staged.folder / "other-keys.pt")))
    assert reason.startswith(
        "ModelError: tiny: vit_tiny_patch16_224 cannot be built: ValueError: other-keys.pt does not"
    )
    assert "1 keys missing (cls_token)" in reason
    assert "1 keys too many (extra)" in reason


def test_weights_that_give_nan(job: Job, staged: Staged):
    network = tiny_networks.vit()
    with torch.no_grad():
        network.get_parameter("head.bias")[2] = math.nan
    weights = tiny_networks.save(network, staged.folder / "nan.safetensors")
    assert "logits of 4 of 4 images are not finite" in hopeless(job(staged.pair(weights=weights)))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"model": 1}', "\x00"])
def test_a_pair_file_that_is_none(job: Job, text: str):
    """The failure takes the file's name for an id."""
    made = job()
    made.pair_file.write_text(text)
    assert made.run() == exit_code.HOPELESS
    assert (made.failure.id, made.failure.pair, made.failure.hopeless) == (made.pair.id, None, True)
    assert made.failure.reason.startswith(f"BadPair: {made.pair_file.name} is not a pair")


@pytest.mark.parametrize("kind", ["weights", "images"])
def test_a_transfer_cut_short(job: Job, kind: str):
    made = job()
    path = made.folder / (made.pair.images.name if kind == "images" else made.pair.model.weights.name)
    path.write_bytes(path.read_bytes()[:-100])
    assert "cut short or changed" in try_again(made)


@pytest.mark.parametrize("kind", ["weights", "images"])
def test_a_file_that_did_not_arrive(job: Job, kind: str):
    made = job()
    path = made.folder / (made.pair.images.name if kind == "images" else made.pair.model.weights.name)
    path.unlink()
    reason = try_again(made)
    assert reason.startswith("FileNotFoundError")
    assert path.name in reason


def test_too_little_memory(job: Job, staged: Staged):
    """A model too large for this machine, not for every one: torch's CPU allocator says so in a RuntimeError."""
    pair = staged.pair()
    model = pair.model.model_copy(update={"options": {**tiny.OPTIONS, "num_classes": 2**50}})
    assert "DefaultCPUAllocator: can't allocate memory" in try_again(job(pair.model_copy(update={"model": model})))


def test_a_pair_file_that_did_not_arrive(job: Job):
    made = job()
    made.pair_file.unlink()
    assert made.run() == exit_code.TRY_AGAIN
    assert (made.failure.id, made.failure.pair) == (made.pair.id, None)


def test_a_name_that_is_no_text(job: Job):
    """Linux takes any bytes as a file's name; the failure names it as far as JSON can."""
    made = job()
    assert made.start(made, [os.fsdecode(b"caf\xe9.json")]) == exit_code.TRY_AGAIN
    assert made.failure.id == "caf\\udce9"


def test_a_machine_where_torch_does_not_import(job: Job, tmp_path: Path):
    """A broken container or driver: the failure is recorded all the same, and says so."""
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "torch.py").write_text("raise ImportError('libcuda.so.1: no such file')\n")
    made = job()
    done = made.cold(PYTHONPATH=f"{tmp_path / 'broken'}:{made.zip}")
    assert done.returncode == exit_code.TRY_AGAIN, done.stderr
    assert made.failure.reason == "ImportError: libcuda.so.1: no such file"
    assert made.failure.provenance is not None
    assert made.failure.provenance.device


def test_a_folder_that_cannot_be_written(job: Job):
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    made = job()
    made.folder.chmod(0o500)
    code = made.run()
    made.folder.chmod(0o700)
    assert code == exit_code.TRY_AGAIN


def test_a_full_disk_leaves_no_half_outcome(job: Job, small_disk: list[str], tmp_path: Path):
    """A real file system of 64 kB that the job's files fill to the last byte: exit 75, the outcome is empty."""
    made = job()
    disk = tmp_path / "disk"
    disk.mkdir()
    script = (
        'cd "$1"; ln -s "$2"/* .; : > outcome.json; head -c 65536 /dev/zero > filler 2>/dev/null; '
        'shift 2; "$@"; code=$?; wc -c outcome.json; ls -A; exit $code'
    )
    command = [*small_disk, str(disk), "sh", "-c", script, "sh", str(disk), str(made.folder)]
    done = subprocess.run(
        [*command, sys.executable, "-m", "jobs.evaluate", made.pair_file.name],
        env={**os.environ, "PYTHONPATH": str(made.zip)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == exit_code.TRY_AGAIN, done.stderr
    assert "outcome.json could not be written" in done.stderr
    assert "No space left on device" in done.stderr
    assert "0 outcome.json" in done.stdout
    left = set(done.stdout.split("outcome.json\n", 1)[1].split())
    assert left == {path.name for path in made.folder.iterdir()} | {"filler", "outcome.json"}


def test_a_wrong_argument_is_told(job: Job):
    made = job()
    assert made.start(made, ["--no-such-option", "x.json"]) == 2


def test_a_pack_is_no_way_out_of_the_folder(job: Job, staged: Staged):
    """Images are read from the archive, never unpacked: a name that leads elsewhere writes nothing."""
    good = (staged.folder / "0.png").read_bytes()
    made = job(staged.pair(pack=with_pack(staged, [LabelledImage("../../escaped.png", 0, good)])))
    made.run()
    assert not list(made.folder.parent.rglob("escaped.png"))
    with tarfile.open(made.folder / made.pair.images.name) as archive:
        assert "images/../../escaped.png" in archive.getnames()
