"""Jobs that write a record, also after interruptions, and their exit codes."""

import io
import os
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
from tests.jobs.job_folders import Job, StagedFiles, verdicts


def test_writes_record(job: Job):
    """The job runs with neither PATH nor HOME, as HTCondor starts it."""
    made = job()
    done = made.run_in_new_process()
    assert done.returncode == exit_code.DONE, done.stderr
    record = made.record
    assert record.id == made.pair.id
    assert record.pair == made.pair
    assert record.images == [f"{number}.png" for number in range(8)]
    # The first batch of 4 is classified once more to measure memory, and a batch of 3 twice to find randomness.
    assert (record.classes, record.clean_correct, record.clean_passes.forward) == (5, 6, 8 + 4 + 6)
    assert record.clean_top5 == "11111111"
    for budget in record.budgets:
        broken = sum(letter not in "RW" for letter in budget.verdicts)
        assert len(budget.broken_at_step) == len(budget.broken_at_distance) == broken
    assert [str(budget.eps) for budget in record.budgets] == ["1/255", "0.1"]
    assert all(letters[6:] == "WW" for letters in verdicts(record))
    assert 0 < record.budgets[1].largest_distance <= 0.1 + 1e-6
    assert set(record.budgets[1].verdicts) >= {"W", "c"}
    assert done.stdout.splitlines()[-1] == f"{made.pair.id}: ok"


@pytest.mark.parametrize(("top1", "code"), [(0.75, exit_code.DONE), (0.1, exit_code.PERMANENT_FAILURE)])
def test_wrong_clean_accuracy_stops_job_before_attack(job: Job, staged: StagedFiles, top1: float, code: int):
    """Six of eight images are classified correctly. If the published accuracy differs, no attack step runs."""
    pair = staged.pair()
    model = pair.model.model_copy(update={"published": Published(top1=top1, tolerance=0.01, where="a table")})
    made = job(pair.model_copy(update={"model": model}))
    assert made.run() == code
    steps = [progress for line in made.output.splitlines() if (progress := Progress.read(line))]
    if code == exit_code.DONE:
        assert clean_check.NOT_CHECKED not in made.record.notes
    else:
        assert made.failure.reason.startswith("CleanAccuracyError: tiny classifies")
        assert "6 of 8 clean images correctly, 75.0%; expected 10.0% (a table)" in made.failure.reason
        assert not steps


def test_record_has_provenance(job: Job, code_zip: Path):
    """The record names code, versions, host, device, job and times."""
    made = job()
    (made.folder / ".job.ad").write_text('ClusterId = 123\nProcId = 4\nOwner = "me"\n')
    (made.folder / ".machine.ad").write_text('Memory = 1\nName = "slot1@h"\n')
    assert made.run() == exit_code.DONE
    assert "batches of at most 1 images" in made.output, "the slot has one megabyte"
    provenance = made.record.provenance
    assert provenance.code == digest.sha256_of_file(code_zip)
    assert {"python", "torch", "timm", "pyautoattack"} <= set(provenance.versions)
    assert torch.__version__.startswith(provenance.versions["torch"])
    assert provenance.job == "123.4"
    assert provenance.precision == "fp32"
    assert provenance.device.startswith("CPU") or torch.cuda.is_available()
    assert provenance.host == os.uname().nodename
    assert provenance.seconds > 0


def test_log_reports_progress(job: Job):
    """The local runner can parse the progress lines, and the last line reports completion."""
    made = job()
    made.run()
    lines = [progress for line in made.output.splitlines() if (progress := Progress.read(line))]
    assert (lines[-1].done, lines[-1].total, lines[-1].seconds_left, lines[-1].stage) == (16, 16, 0, "done")


def test_job_writes_only_its_outcome(job: Job):
    made = job()
    before = {path.name for path in made.folder.iterdir()}
    made.run()
    assert {path.name for path in made.folder.iterdir()} == before | {"outcome.json", "examples.bin"}


def test_evicted_job_gives_same_verdicts(job: Job, tmp_path: Path, staged: StagedFiles):
    """The job stops after every evaluation and resumes in a new process."""
    made = job()
    codes = [made.run("--checkpoint-every", "0")]
    while codes[-1] == exit_code.CHECKPOINT and len(codes) < 100:
        assert (made.folder / "checkpoint.bin").is_file()
        codes.append(made.run("--checkpoint-every", "0"))
    assert codes == [exit_code.CHECKPOINT] * (len(codes) - 1) + [exit_code.DONE]
    assert len(codes) > 3
    resumed, examples = made.record, (made.folder / "examples.bin").read_bytes()
    (made.folder / "checkpoint.bin").unlink()
    made.run()
    assert verdicts(resumed) == verdicts(made.record)
    assert resumed.examples == made.record.examples
    assert (made.folder / "examples.bin").read_bytes() == examples
    for one, other in zip(resumed.budgets, made.record.budgets, strict=True):
        assert (one.passes, one.largest_distance) == (other.passes, other.largest_distance)


def test_invalid_checkpoint_is_ignored(job: Job, staged: StagedFiles):
    """A job starts from scratch if the checkpoint is truncated, changed in any part, or of another pair."""
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
    assert made.record.clean_passes.forward == 8 + 4 + 6, "the clean images were not classified again"


def test_pair_without_steps(job: Job, staged: StagedFiles):
    made = job(staged.pair(method="clean", norm=None, eps=[], steps=100))
    assert made.run("--checkpoint-every", "0") == exit_code.DONE
    assert verdicts(made.record) == ["RRRRRRWW"]


@pytest.mark.parametrize(
    ("fields", "precision"),
    [
        ({"search": "fp32"}, "fp32"),
        ({"search": "bf16"}, "search bf16, verdicts fp32"),
        ({"compile": True, "batch": 100}, "search fp32 compiled, verdicts fp32"),
    ],
)
def test_record_states_precision(job: Job, staged: StagedFiles, fields: dict[str, object], precision: str):
    made = job(staged.pair(**fields))
    assert made.run() == exit_code.DONE
    record = made.record
    assert record.provenance.precision == precision
    assert any("searched in bf16" in note for note in record.notes) == ("search bf16" in precision)
    # There are fewer images than a full batch.
    assert ("the search did without torch.compile: no batch was nearly full" in record.notes) == (
        "compile" in fields
    )


def test_older_outcome_is_replaced(job: Job):
    """The outcome of an earlier run in the same folder is overwritten."""
    made = job()
    outcome_file.write(made.folder / "outcome.json", tiny.failure(made.pair, "old"))
    assert made.run() == exit_code.DONE
    assert made.record.id == made.pair.id


def test_job_runs_code_of_zip(job: Job, tmp_path: Path):
    """A change of the checkout after submission does not affect a job."""
    made = job()
    archive = io.BytesIO(code.build_archive())
    assert b"alignsec/evaluator.py" in archive.getvalue()
    made.zip = tmp_path / "empty.zip"
    made.zip.write_bytes(b"PK\x05\x06" + bytes(18))
    assert made.run() == 1, "the job ran with other code than the zip's"


def test_a_file_of_one_pair(job: Job):
    """Runs of earlier versions have one file for each pair, and so have pairs that are written by hand."""
    made = job()
    (made.folder / "one.json").write_text(made.pair.model_dump_json())
    made.pair_file.unlink()
    assert made.start(made, ["one.json"]) == exit_code.DONE
    assert made.record.pair == made.pair
