"""Jobs on corrupted images, from a pack of their own or generated in the job."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

from alignsec.images import pack as image_pack
from alignsec.images.pack import Candidate
from alignsec.run import exit_code
from alignsec.spec import corruption
from alignsec.spec.pair import File
from tests import tiny
from tests.jobs.job_folders import Job, StagedFiles, run_permanent_failure, verdicts

CORRUPTED: dict[str, Any] = {"method": "corruption", "norm": None, "eps": [], "steps": 100, "severity": 3}


def write_changed_pack(staged: StagedFiles, folder: Path, change: Callable[[Image.Image], Image.Image]) -> File:
    """Write a pack of the staged images, each changed by a function."""
    changed = []
    for one in image_pack.read_index(staged.folder / staged.pack.name, staged.pack.sha256):
        change(Image.open(io.BytesIO(one.read()))).save(folder / one.name)
        changed.append(Candidate(one.name, one.label, folder / one.name))
    return image_pack.write_pack(changed, staged.folder)


def test_corruption_with_own_pack(job: Job, staged: StagedFiles, tmp_path: Path):
    """The job receives both packs; the corrupted images are negatives."""
    pack = write_changed_pack(staged, tmp_path, ImageOps.invert)
    made = job(staged.pair(corrupted=pack, corruption="negative", **CORRUPTED))
    assert made.run() == exit_code.DONE
    assert [letter in "Wm" for letter in verdicts(made.record)[0]] == [False] * 6 + [True] * 2
    assert "x" in verdicts(made.record)[0]
    assert made.record.budgets[0].passes["corruption"].forward == 8


def test_corruption_generated_in_job(job: Job, staged: StagedFiles):
    """A model of 16 pixels classifies images corrupted at 224; the record names the library's version."""
    made = job(staged.pair(corruption="impulse_noise", generator=corruption.GENERATOR, **CORRUPTED))
    assert made.run() == exit_code.DONE
    assert set(verdicts(made.record)[0]) <= set("RWxm")
    assert made.record.provenance.versions[corruption.LIBRARY] == corruption.VERSION


def test_corrupted_images_of_another_set_are_rejected(job: Job, staged: StagedFiles, tmp_path: Path):
    tiny.write_image(tmp_path / "0.png", seed=0)
    pack = image_pack.write_pack([Candidate("0.png", 0, tmp_path / "0.png")], staged.folder)
    reason = run_permanent_failure(job(staged.pair(corrupted=pack, corruption="fog", **CORRUPTED)))
    assert "the corrupted images must have the names and labels of the clean images" in reason
