"""Jobs with a custom attack: its code is one of the transferred files, and its errors are recorded failures."""

import hashlib
from typing import Any

from alignsec.run import exit_code
from alignsec.spec.attack import Attack
from alignsec.spec.pair import File, Pair
from tests.jobs.job_folders import Job, JobFolder, StagedFiles, run_permanent_failure

NOISE = b"""
import torch
from dataclasses import dataclass

@dataclass
class Range:
    low: "float" = 0
    high: "float" = 1

def noise(classifier, images, labels, norm, eps, tries=1):
    best = images.clone()
    for _ in range(tries):
        found = (images + eps * (2 * torch.rand_like(images) - 1)).clamp(Range.low, Range.high)
        wrong = classifier(found).argmax(1) != labels
        best[wrong] = found[wrong]
    return best

def fails(classifier, images, labels, norm, eps):
    raise IndexError("no such image")
"""
FILE = File(name="code-attack.py", sha256=hashlib.sha256(NOISE).hexdigest())


def make_job(job: Job, staged: StagedFiles, function: str, **fields: Any) -> JobFolder:
    plain = staged.pair()
    attack = {"method": f"python:{function}", "norm": "Linf", "eps": ["1/255", "0.9"], "batch": 2, **fields}
    pair = Pair.model_validate(
        {
            **plain.model_dump(),
            "attack": Attack.model_validate(attack).model_dump(),
            "attack_code": FILE.model_dump(),
        }
    )
    made: JobFolder = job(pair)
    (made.folder / FILE.name).write_bytes(NOISE)
    return made


def test_a_custom_attack_gives_a_record(job: Job, staged: StagedFiles):
    """Two images are wrong when clean. The record has the attack's passes, its letter and its notes."""
    made = make_job(job, staged, "noise", options={"tries": 3})
    assert made.run() == exit_code.DONE
    record = made.record
    for budget in record.budgets:
        assert budget.verdicts.count("W") == 2
        assert set(budget.verdicts) <= {"R", "W", "p"}
        assert budget.passes["custom"].forward == 6 * 4
        assert budget.broken_at_step == []
        assert len(budget.broken_at_distance) == budget.verdicts.count("p")
    assert record.legend["p"] == "broken by custom"
    assert (
        record.notes[0]
        == "not the standard attack: a custom attack, python:noise, tries = 3 (standard: AutoAttack)"
    )


def test_a_custom_attack_resumes_from_its_checkpoint(job: Job, staged: StagedFiles):
    """A job that must stop after each batch ends with the verdicts of an uninterrupted one."""
    whole = make_job(job, staged, "noise")
    whole.run()
    expected = [budget.verdicts for budget in whole.record.budgets]
    (whole.folder / "outcome.json").unlink()
    codes = [whole.run("--checkpoint-every", "0")]
    while codes[-1] == exit_code.CHECKPOINT:
        codes.append(whole.run("--checkpoint-every", "0"))
    assert len(codes) > 3
    assert codes[-1] == exit_code.DONE
    assert [budget.verdicts for budget in whole.record.budgets] == expected


def test_an_error_of_a_custom_attack_is_a_recorded_failure(job: Job, staged: StagedFiles):
    reason = run_permanent_failure(make_job(job, staged, "fails"))
    assert reason == "CustomAttackError: fails raised IndexError: no such image"


def test_changed_code_is_not_run(job: Job, staged: StagedFiles):
    made = make_job(job, staged, "noise")
    (made.folder / FILE.name).write_bytes(NOISE + b"\n")
    assert made.run() == exit_code.TEMPORARY_FAILURE
    assert "SHA-256" in made.failure.reason
