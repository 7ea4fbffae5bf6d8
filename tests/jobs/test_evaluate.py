"""The job as a process: it leaves a record, whatever interrupts it, and its exit code tells what to do next."""

import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from alignsec import digest
from alignsec.evaluation import clean_check
from alignsec.run import exit_code, outcome_file
from alignsec.run.progress import Progress
from alignsec.spec.pair import Published
from submit import code
from tests import tiny
from tests.jobs.conftest import JobFolder, Staged, verdicts

Job = Callable[..., JobFolder]


def test_a_pair_becomes_a_record(job: Job):
    """Started cold, with neither PATH nor HOME, as HTCondor does."""
    made = job()
    done = made.cold()
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
        assert clean_check.NOT_CHECKED not in made.record.notes
    else:
        assert made.failure.reason.startswith("CleanAccuracyError: wrong preprocessing or weights")
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
    assert where.code == digest.sha256_of_file(code_zip)
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


@pytest.mark.parametrize(
    ("told", "precision"),
    [
        ({"search": "fp32"}, "fp32"),
        ({"search": "bf16"}, "search bf16, verdicts fp32"),
        ({"compile": True, "batch": 100}, "search fp32 compiled, verdicts fp32"),
    ],
)
def test_the_record_tells_the_precision(job: Job, staged: Staged, told: dict[str, object], precision: str):
    made = job(staged.pair(**told))
    assert made.run() == exit_code.DONE
    record = made.record
    assert record.provenance.precision == precision
    assert any("searched in bf16" in note for note in record.notes) == ("search bf16" in precision)
    # There are fewer images than a batch takes.
    assert ("the search did without torch.compile: no batch was nearly full" in record.notes) == (
        "compile" in told
    )


def test_an_older_outcome_is_replaced(job: Job):
    """A folder used again: the outcome is this run's."""
    made = job()
    outcome_file.write(made.folder / "outcome.json", tiny.failure(made.pair, "old"))
    assert made.run() == exit_code.DONE
    assert made.record.id == made.pair.id


def test_the_code_in_the_zip_is_what_runs(job: Job, tmp_path: Path):
    """An edit after submission must not reach a job; the record's digest is the zip's."""
    made = job()
    archive = io.BytesIO(code.archive())
    assert b"alignsec/evaluator.py" in archive.getvalue()
    made.zip = tmp_path / "empty.zip"
    made.zip.write_bytes(b"PK\x05\x06" + bytes(18))
    assert made.run() == 1, "the job ran, but from where?"
