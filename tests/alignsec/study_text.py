"""A study as text, and what is wrong with others."""

from pathlib import Path

import pytest

from alignsec.mistake import Mistake, Mistakes
from alignsec.study import Study

GOOD = """
name = "good"
seed = 3
[images]
folder = "images"
[[models]]
name = "resnet"
source = "timm:resnet18.a1_in1k"
[[attacks]]
method = "clean"
[[attacks]]
method = "autoattack"
norm = "Linf"
eps = ["1/255", "0.001"]
"""


def load(folder: Path, text: str) -> Study:
    """A study of this text, beside a folder of images."""
    (folder / "images").mkdir(exist_ok=True)
    path = folder / "study.toml"
    path.write_text(text, encoding="utf-8")
    return Study.load(path)


def mistakes(folder: Path, text: str) -> tuple[Mistake, ...]:
    """All that is wrong with a study of this text."""
    with pytest.raises(Mistakes) as caught:
        load(folder, text)
    return caught.value.mistakes


def one(folder: Path, old: str, new: str) -> Mistake:
    """The one mistake of the good study after a replacement."""
    assert GOOD.count(old) == 1
    (found,) = mistakes(folder, GOOD.replace(old, new))
    return found
