"""The job as a process: it leaves an outcome in every case, and its exit code tells what to do next."""

import io
import math
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image, ImageOps

from alignsec import corruption, digest, exit_code, gate, image_pack, outcome_file
from alignsec.image_pack import Candidate, LabelledImage
from alignsec.outcome import Record
from alignsec.pair import File, Published
from alignsec.preprocessing import Preprocessing
from alignsec.progress import Progress
from submit import code
from tests import tiny, tiny_networks
from tests.jobs.conftest import JobFolder, Staged

Job = Callable[..., JobFolder]


def cold(folder: JobFolder, **environ: str) -> "subprocess.CompletedProcess[str]":
    """The job as a person would start it, with a bare environment."""
    return subprocess.run(
        [sys.executable, "-m", "jobs.evaluate", folder.pair_file.name],
        cwd=folder.folder,
        env={"PYTHONPATH": str(folder.zip), "OMP_NUM_THREADS": "1", **environ},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def verdicts(record: Record) -> list[str]:
    return [budget.verdicts for budget in record.budgets]


def test_a_pair_becomes_a_record(job: Job):
    """Started cold, with neither PATH nor HOME, as HTCondor does."""
    made = job()
    done = cold(made)
    assert done.returncode == exit_code.DONE, done.stderr
    record = made.record
    assert record.id == made.pair.id
    assert record.pair == made.pair
    assert record.images == [f"{number}.png" for number in range(8)]
    # A batch of 4 is asked twice: is the model randomised?
    assert (record.classes, record.clean_correct, record.clean_passes.forward) == (5, 6, 8 + 4)
    assert record.clean_top5 == "11111111"
    for budget in record.budgets:
        broken = sum(letter not in "RW" for letter in budget.verdicts)
        assert len(budget.broken_at_step) == len(budget.broken_at_distance) == broken
    assert [str(budget.eps) for budget in record.budgets] == ["1/255", "0.1"]
    assert all(letters[6:] == "WW" for letters in verdicts(record))
    assert 0 < record.budgets[1].largest_distance <= 0.1 + 1e-6
    assert set(record.budgets[1].verdicts) >= {"W", "c"}
    assert done.stdout.splitlines()[-1] == f"{made.pair.id}: ok"


@pytest.mark.parametrize(("top1", "code"), [(0.75, exit_code.DONE), (0.1, exit_code.HOPELESS)])
def test_a_model_that_is_not_the_published_one_is_not_attacked(job: Job, staged: Staged, top1: float, code: int):
    """Six of eight are right. Far from what is published, the pair fails before an attack has made a step."""
    pair = staged.pair()
    model = pair.model.model_copy(update={"published": Published(top1=top1, tolerance=0.01, where="a table")})
    made = job(pair.model_copy(update={"model": model}))
    assert made.run() == code
    steps = [progress for line in made.said.splitlines() if (progress := Progress.read(line))]
    if code == exit_code.DONE:
        assert gate.NOT_CHECKED not in made.record.notes
    else:
        assert made.failure.reason.startswith("NotAsPublished: wrong preprocessing or weights")
        assert "6 of 8 clean images correctly, 75.0%; published are 10.0% (a table)" in made.failure.reason
        assert not steps


def test_the_record_can_be_traced(job: Job, code_zip: Path):
    """Code, versions, host, device, job, times: everything DESIGN.md 5 asks for."""
    made = job()
    (made.folder / ".job.ad").write_text('ClusterId = 123\nProcId = 4\nOwner = "me"\n')
    (made.folder / ".machine.ad").write_text('Memory = 1\nName = "slot1@h"\n')
    assert made.run() == exit_code.DONE
    assert "at most 1 images at once" in made.said, "the slot has a megabyte"
    where = made.record.provenance
    assert where.code == digest.of_file(code_zip)
    assert {"python", "torch", "timm", "pyautoattack"} <= set(where.versions)
    assert torch.__version__.startswith(where.versions["torch"])
    assert where.job == "123.4"
    assert where.precision == "fp32"
    assert where.device.startswith("CPU") or torch.cuda.is_available()
    assert where.host == os.uname().nodename
    assert where.seconds > 0


def test_the_log_tells_the_progress(job: Job):
    """Lines that the local runner reads back; the last one says that all is done."""
    made = job()
    made.run()
    told = [progress for line in made.said.splitlines() if (progress := Progress.read(line))]
    assert (told[-1].done, told[-1].total, told[-1].seconds_left, told[-1].doing) == (16, 16, 0, "done")


def test_nothing_but_the_outcome_is_left(job: Job):
    made = job()
    before = {path.name for path in made.folder.iterdir()}
    made.run()
    assert {path.name for path in made.folder.iterdir()} == before | {"outcome.json"}


def test_an_evicted_job_ends_with_the_same_verdicts(job: Job, tmp_path: Path, staged: Staged):
    """Stopped as often as can be, each start in a new process, and its time adds up."""
    made = job()
    codes = [made.run("--checkpoint-every", "0")]
    while codes[-1] == exit_code.CHECKPOINT and len(codes) < 100:
        assert (made.folder / "checkpoint.bin").is_file()
        codes.append(made.run("--checkpoint-every", "0"))
    assert codes == [exit_code.CHECKPOINT] * (len(codes) - 1) + [exit_code.DONE]
    assert len(codes) > 3
    resumed = made.record
    (made.folder / "checkpoint.bin").unlink()
    made.run()
    assert verdicts(resumed) == verdicts(made.record)
    for one, other in zip(resumed.budgets, made.record.budgets, strict=True):
        assert (one.passes, one.largest_distance) == (other.passes, other.largest_distance)


def test_another_pairs_checkpoint_is_not_taken_up(job: Job, staged: Staged):
    """A folder used twice; and a checkpoint cut short, or changed in its text or its last byte: begun anew."""
    made, other = job(), staged.pair(steps=6)
    made.run("--checkpoint-every", "0")
    whole = (made.folder / "checkpoint.bin").read_bytes()
    changed = whole.replace(b'"verdicts":"', b'"verdicts":"R', 1)
    for data in (changed, whole[:-1] + bytes([whole[-1] ^ 1]), whole[: len(whole) // 2], b"", b"{}"):
        (made.folder / "checkpoint.bin").write_bytes(data)
        assert made.run() == exit_code.DONE
        assert made.record.clean_correct == 6
    (made.folder / "checkpoint.bin").write_bytes(whole)
    (made.folder / f"{other.id}.json").write_text(other.model_dump_json(), encoding="utf-8")
    assert made.start(made, [f"{other.id}.json"]) == exit_code.DONE
    assert made.record.pair == other
    assert made.record.clean_passes.forward == 8 + 4, "the clean images were not looked at again"


def test_a_pair_that_needs_no_step(job: Job, staged: Staged):
    made = job(staged.pair(method="clean", norm=None, eps=[], steps=100))
    assert made.run("--checkpoint-every", "0") == exit_code.DONE
    assert verdicts(made.record) == ["RRRRRRWW"]


CORRUPTED: dict[str, Any] = {"method": "corruption", "norm": None, "eps": [], "steps": 100, "severity": 3}


def repacked(staged: Staged, folder: Path, change: Callable[[Image.Image], Image.Image]) -> File:
    """The staged images, each changed."""
    changed = []
    for one in image_pack.entries(staged.folder / staged.pack.name, staged.pack.sha256):
        change(Image.open(io.BytesIO(one.read()))).save(folder / one.name)
        changed.append(Candidate(one.name, one.label, folder / one.name))
    return image_pack.write(changed, staged.folder)


def test_a_corruption_with_its_own_pack(job: Job, staged: Staged, tmp_path: Path):
    """Both packs travel; the corrupted images here are negatives."""
    pack = repacked(staged, tmp_path, ImageOps.invert)
    made = job(staged.pair(corrupted=pack, corruption="negative", **CORRUPTED))
    assert made.run() == exit_code.DONE
    assert [letter in "Wm" for letter in verdicts(made.record)[0]] == [False] * 6 + [True] * 2
    assert "x" in verdicts(made.record)[0]
    assert made.record.budgets[0].passes["corruption"].forward == 8


def test_images_corrupted_on_the_spot(job: Job, staged: Staged, tmp_path: Path):
    """At the model's own 32 pixels; the record names the library that made them."""
    options = {**tiny.OPTIONS, "img_size": 32, "patch_size": 8}
    weights = tiny_networks.save(tiny_networks.vit(1, options), staged.folder / "weights32.safetensors")
    pack = repacked(staged, tmp_path, lambda image: image.resize((32, 32)))
    pair = staged.pair(weights, pack, corruption="impulse_noise", generator=corruption.GENERATOR, **CORRUPTED)
    seen = pair.model.model_copy(
        update={"options": options, "preprocessing": Preprocessing(**{**tiny.GREY, "input_size": (1, 32, 32)})}
    )
    made = job(pair.model_copy(update={"model": seen}))
    assert made.run() == exit_code.DONE
    assert set(verdicts(made.record)[0]) <= set("RWxm")
    assert made.record.provenance.versions[corruption.LIBRARY] == corruption.VERSION


def test_corrupted_images_of_another_set_are_refused(job: Job, staged: Staged, tmp_path: Path):
    tiny.write_image(tmp_path / "0.png", seed=0)
    pack = image_pack.write([Candidate("0.png", 0, tmp_path / "0.png")], staged.folder)
    reason = hopeless(job(staged.pair(corrupted=pack, corruption="fog", **CORRUPTED)))
    assert "the corrupted images are others than the clean ones" in reason


def with_pack(staged: Staged, images: list[LabelledImage]) -> File:
    """A pack that no submission would have written, with a digest that fits."""
    data = tiny.unchecked_pack(images)
    pack = File(name=f"images-{digest.of_bytes(data)[:8]}.tar", sha256=digest.of_bytes(data))
    (staged.folder / pack.name).write_bytes(data)
    return pack


def hopeless(made: JobFolder) -> str:
    """The reason of a failure that no other machine would mend."""
    assert made.run() == exit_code.HOPELESS
    assert made.failure.hopeless
    assert made.failure.id == made.pair.id
    assert made.failure.pair == made.pair
    assert "Traceback" in made.failure.traceback
    assert made.failure.provenance is not None
    return made.failure.reason


def test_an_image_that_cannot_be_read(job: Job, staged: Staged):
    good = (staged.folder / "0.png").read_bytes()
    pack = with_pack(staged, [LabelledImage("0.png", 0, good), LabelledImage("half.png", 0, good[:100])])
    assert hopeless(job(staged.pair(pack=pack))).startswith("BadImage: half.png cannot be decoded")


def test_labels_outside_the_classes(job: Job, staged: Staged):
    pack = with_pack(staged, [LabelledImage("0.png", 5, (staged.folder / "0.png").read_bytes())])
    assert hopeless(job(staged.pair(pack=pack))) == "BadModel: label 5 is outside the model's 5 classes"


def test_a_checkpoint_with_other_keys(job: Job, staged: Staged):
    state = tiny_networks.vit().state_dict()
    state["extra"] = state.pop("cls_token")
    torch.save(state, staged.folder / "other-keys.pt")
    reason = hopeless(job(staged.pair(weights=staged.folder / "other-keys.pt")))
    assert reason.startswith(
        "BadModel: tiny: vit_tiny_patch16_224 cannot be built: ValueError: other-keys.pt does not"
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


def try_again(made: JobFolder) -> str:
    """The reason of a failure that another machine may not have."""
    assert made.run() == exit_code.TRY_AGAIN
    assert not made.failure.hopeless
    assert made.failure.id == made.pair.id
    return made.failure.reason


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


@pytest.mark.parametrize("search", ["fp32", "bf16"])
def test_the_record_tells_the_precision(job: Job, staged: Staged, search: str):
    made = job(staged.pair(search=search))
    assert made.run() == exit_code.DONE
    record = made.record
    assert record.provenance.precision == {"fp32": "fp32", "bf16": "search bf16, verdicts fp32"}[search]
    assert any("searched in bf16" in note for note in record.notes) == (search == "bf16")


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
    done = cold(made, PYTHONPATH=f"{tmp_path / 'broken'}:{made.zip}")
    assert done.returncode == exit_code.TRY_AGAIN, done.stderr
    assert made.failure.reason == "ImportError: libcuda.so.1: no such file"
    assert made.failure.provenance is not None
    assert made.failure.provenance.device


def test_an_older_outcome_is_replaced(job: Job):
    """A folder used again: the outcome is this run's."""
    made = job()
    outcome_file.write(made.folder / "outcome.json", tiny.failure(made.pair, "old"))
    assert made.run() == exit_code.DONE
    assert made.record.id == made.pair.id


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


def test_the_code_in_the_zip_is_what_runs(job: Job, tmp_path: Path):
    """An edit after submission must not reach a job; the record's digest is the zip's."""
    made = job()
    archive = io.BytesIO(code.archive())
    assert b"alignsec/evaluator.py" in archive.getvalue()
    made.zip = tmp_path / "empty.zip"
    made.zip.write_bytes(b"PK\x05\x06" + bytes(18))
    assert made.run() == 1, "the job ran, but from where?"


def test_a_pack_is_no_way_out_of_the_folder(job: Job, staged: Staged):
    """Images are read from the archive, never unpacked: a name that leads elsewhere writes nothing."""
    good = (staged.folder / "0.png").read_bytes()
    made = job(staged.pair(pack=with_pack(staged, [LabelledImage("../../escaped.png", 0, good)])))
    made.run()
    assert not list(made.folder.parent.rglob("escaped.png"))
    with tarfile.open(made.folder / made.pair.images.name) as archive:
        assert "images/../../escaped.png" in archive.getnames()
