"""Fixtures of submit's tests: a tiny study on disk, and a site for it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from submit import validation
from submit.validation import ValidatedStudy
from tests import tiny
from tests.paths import CHECKOUT

MODEL = """
[[models]]
name = "{name}"
source = "timm:vit_tiny_patch16_224"
weights = "{name}.safetensors"
[models.options]
img_size = 16
patch_size = 4
embed_dim = 16
depth = 1
num_heads = 2
num_classes = 5
in_chans = 1
[models.preprocessing]
input_size = [1, 16, 16]
mean = [0.5]
std = [0.25]
interpolation = "bilinear"
crop_pct = 1.0
"""
ATTACKS = """
[[attacks]]
method = "clean"
[[attacks]]
method = "apgd-ce"
norm = "Linf"
eps = ["1/255", "0.1"]
steps = 3
"""

StudyFile = Callable[..., Path]


@pytest.fixture
def study_file(tmp_path: Path) -> StudyFile:
    """Write a study of some models, with arbitrary bytes as weights files, and six images."""

    def write(*models: str, name: str = "tiny", attacks: str = ATTACKS, more: str = "", images: str = "") -> Path:
        folder = tmp_path / "study"
        tiny.write_class_folders(folder / "images", classes=3, each=2)
        for model in models:
            weights = folder / f"{model}.safetensors"
            if not weights.exists():
                weights.write_bytes(f"weights of {model}".encode())
        head = f'name = "{name}"\nseed = 1\n{more}\n[images]\nfolder = "images"\ncount = 4\n{images}\n'
        path = folder / f"{name}.toml"
        path.write_text(head + "".join(MODEL.format(name=model) for model in models) + attacks, encoding="utf-8")
        return path

    return write


@pytest.fixture
def validated(study_file: StudyFile, tmp_path: Path) -> ValidatedStudy:
    """A validated study of two models and two attacks."""
    return validation.validate(study_file("a", "b"), tmp_path / "hub")


@pytest.fixture
def env_file(tmp_path: Path) -> Callable[..., Path]:
    """Write the default .env with some keys changed; image packs go to the test's own folder."""

    def write(**changes: str) -> Path:
        lines = (CHECKOUT / ".env").read_text(encoding="utf-8").splitlines()
        own = {"images": str(tmp_path / "packs"), **changes}
        keys = {key.upper(): value for key, value in own.items()}
        names = [line.removeprefix("#").split("=")[0] for line in lines]
        changed = [
            f"{name}={keys[name]}" if name in keys else line for name, line in zip(names, lines, strict=True)
        ]
        path = tmp_path / "site.env"
        path.write_text("\n".join(changed) + "\n", encoding="utf-8")
        return path

    return write
