"""Jobs on corrupted images: a pack of their own, or made on the spot."""

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
from alignsec.spec.preprocessing import Preprocessing
from tests import tiny, tiny_networks
from tests.jobs.conftest import JobFolder, Staged, hopeless, verdicts

Job = Callable[..., JobFolder]
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
